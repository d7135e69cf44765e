"""`keras-transformer app`: serve a page to type sentences into."""

from keras_transformer.cli.flags import add_run

HELP = "serve a page to type sentences into, on this machine"


def add_flags(parser):
    add = parser.add_argument
    add_run(parser)
    text = "address to listen on (default: 127.0.0.1, this machine only)"
    add("--host", default="127.0.0.1", help=text)
    add("--port", type=int, default=7860, help="port (default: 7860)")


def run(options):
    from keras_transformer.app.page import serve

    serve(options.run, options.host, options.port)
