"""The parser of the command line, put together from the flags of each command."""

import argparse
import os
import re
import sys
from importlib.metadata import version

from .. import __version__
from ..config import expect
from . import (
    app,
    demo,
    evaluate,
    export,
    import_checkpoint,
    info,
    train,
    translate,
)
from .flags import add_config
from .startup import choose_backend

COMMANDS = {
    "demo": demo,
    "train": train,
    "translate": translate,
    "evaluate": evaluate,
    "info": info,
    "export": export,
    "import": import_checkpoint,
    "app": app,
}


class Parser(argparse.ArgumentParser):
    """An `ArgumentParser` whose errors are as short as all others."""

    def error(self, message):
        raise ValueError(f"{message} (see {self.prog} --help)")


class Version(argparse.Action):
    """Print the versions of the package, of Keras and of the backend."""

    def __call__(self, parser, *rest):
        print(f"{parser.prog} {__version__} (Keras {version('keras')}, {backend()})")
        parser.exit()


def backend():
    """The backend of this environment and its version; it is not imported."""
    try:
        choose_backend()
        name = os.environ["KERAS_BACKEND"]
        return f"{name} {version(name)}"
    except ImportError as error:  # also of a version that is not known
        return str(error)


def build_parser():
    """The parser of all commands; `options.command(options)` runs the parsed one."""
    parser = Parser(
        prog="keras-transformer",
        description="Train a Transformer and translate with it, on the backend in "
        "KERAS_BACKEND: tensorflow, jax or torch.",
        epilog="Begin with: keras-transformer demo",
    )
    how = dict(nargs=0, default=argparse.SUPPRESS, help="say the versions used")
    parser.add_argument("--version", action=Version, **how)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, command in COMMANDS.items():
        added = commands.add_parser(name, help=command.__doc__)
        for flag, how in command.FLAGS.items():
            added.add_argument(flag, **how)
        for title, config in command.GROUPS.items():
            add_config(added, title, config)
        added.set_defaults(command=command.run)
    return parser


def parse(arguments):
    """The options of a command line.

    Raises:
        ValueError: if it holds what the parser does not know, or is not UTF-8.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    for number, argument in enumerate(arguments, 1):
        # Python keeps bytes that are no UTF-8 as surrogates.
        is_text = not re.search("[\ud800-\udfff]", argument)
        expect(is_text, f"argument {number}", "be UTF-8", argument)
    parser = build_parser()
    options, rest = parser.parse_known_args(arguments)
    if "text" in options and not any(word.startswith("-") for word in rest):
        options.text += rest  # argparse takes no TEXT after a flag
    elif rest:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    return options
