"""Serve a page to type sentences into, on this machine."""

from ..process.bars import doing
from ..runs.run import Run
from .flags import RUN
from .translate import RUNTIME

FLAGS = (
    RUN
    | RUNTIME
    | {
        "--host": dict(
            default="127.0.0.1", help="address (default: this machine only)"
        ),
        "--port": dict(default=7860, type=int, help="port (default: 7860)"),
        "--allow-host": dict(
            action="append",
            default=[],
            metavar="NAME",
            help="also serve the page under this name; may be repeated",
        ),
    }
)


def run(options):
    if options.runtime == "keras":
        Run.open(options.run)  # what is no run is refused before the page is made
    with doing("making the page"):
        from ..app.page import serve

    serve(
        options.run,
        options.host,
        options.port,
        options.allow_host,
        options.runtime,
    )
