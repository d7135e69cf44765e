"""`keras-transformer app`: serve a page to type sentences into."""

from keras_transformer.cli.flags import RUN

HELP = "serve a page to type sentences into, on this machine"
FLAGS = RUN | {
    "--host": dict(
        default="127.0.0.1", help="address to listen on (default: this machine only)"
    ),
    "--port": dict(type=int, default=7860, help="port (default: 7860)"),
}
GROUPS = {}


def run(options):
    from keras_transformer.app.page import serve

    serve(options.run, options.host, options.port)
