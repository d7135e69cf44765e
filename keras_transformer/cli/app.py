"""Serve a page to type sentences into, on this machine."""

from .flags import RUN

FLAGS = RUN | {
    "--host": dict(default="127.0.0.1", help="address (default: this machine only)"),
    "--port": dict(default=7860, type=int, help="port (default: 7860)"),
    "--allow-host": dict(
        action="append",
        default=[],
        metavar="NAME",
        help="also serve the page under this name; may be repeated",
    ),
}
FIRST = ("--host", "--port", "--allow-host")
GROUPS = {}
ONLY = {}


def run(options):
    from ..app.page import serve

    serve(options.run, options.host, options.port, options.allow_host)
