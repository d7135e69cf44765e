"""The parser of the command line, put together from the flags of each command."""

import argparse
import glob
import os
import re
import sys
from importlib.metadata import version
from pathlib import Path

from .. import __version__
from ..config import expect
from ..process.flag_names import FLAG_NAMES
from ..runs.sealed_files import kind_of
from . import (
    app,
    clean,
    demo,
    evaluate,
    export,
    generate,
    import_checkpoint,
    info,
    plan,
    score,
    train,
    translate,
    tune,
)
from .flags import check_filled, check_used, config_flags
from .startup import choose_backend

COMMANDS = {
    "demo": demo,
    "clean": clean,
    "train": train,
    "plan": plan,
    "translate": translate,
    "generate": generate,
    "evaluate": evaluate,
    "tune": tune,
    "score": score,
    "info": info,
    "export": export,
    "import": import_checkpoint,
    "app": app,
}
# What is meant as a flag, and not as text that begins with a dash.
FLAG = re.compile(r"--?[^\W\d][\w-]*(=.*)?", re.DOTALL)


class Parser(argparse.ArgumentParser):
    """An `ArgumentParser` whose errors are as short as all others."""

    def error(self, message):
        if re.search(r"arguments are required: (?!COMMAND)[A-Z]", message):
            # A flag that takes several values would take these, too.
            message += "; write them before the flags"
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


def build_parser(shows_all=False):
    """The parser of all commands; `options.command(options)` runs the parsed one.

    Its help shows the flags that a command calls `FIRST`, if it does, or all of them.
    """
    parser = Parser(
        prog="keras-transformer",
        description="Train a Transformer and translate with it, on the backend in "
        "KERAS_BACKEND: tensorflow, jax or torch.",
        epilog="Begin with: keras-transformer demo. Flags of a command: "
        "keras-transformer COMMAND --help, and --help-all for the rare ones.",
    )
    parser.add_argument(
        "--version",
        action=Version,
        nargs=0,
        default=argparse.SUPPRESS,
        help="say the versions used",
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, command in COMMANDS.items():
        about = command.__doc__
        added = commands.add_parser(name, help=about, description=about)
        add_flags(added, command, shows_all)
        if shows_all:
            argument = next(iter(command.FLAGS.values()))["metavar"]
            added.usage = f"{added.prog} [FLAG ...] {argument} ..."
        only = getattr(command, "ONLY", {})
        added.set_defaults(command=command.run, only=only)
    return parser


def add_flags(parser, command, shows_all):
    """Give the parser of a command its flags, and their names as `options.names`."""
    first = getattr(command, "FIRST", command.FLAGS)
    names = []
    has_rare = False
    for title, flags in all_flags(command).items():
        group = parser.add_argument_group(title) if title else parser
        for flag, how in flags.items():
            is_rare = flag.startswith("--") and flag not in first
            has_rare = has_rare or is_rare
            if is_rare and not shows_all:
                how = how | dict(help=argparse.SUPPRESS)
            action = group.add_argument(flag, **how)
            if flag.startswith("--"):
                names.append(action.dest)
            if flag == "run":
                action.completer = folders
    if has_rare:
        text = "show all flags, grouped"
        parser.add_argument("--help-all", action="help", help=text)
    parser.set_defaults(names=names)


def all_flags(command):
    """The flags of a command by the titles of their groups; "" for those without."""
    groups = {"": command.FLAGS}
    for title, flags in getattr(command, "GROUPS", {}).items():
        groups[title] = flags if isinstance(flags, dict) else config_flags(flags)
    return groups


def folders(prefix, **_):
    """The runs and exports, and other folders, that a shell may complete a RUN to."""
    found = glob.glob(f"{glob.escape(prefix)}*/")
    return [name.rstrip("/") if kind_of(Path(name)) else name for name in found]


def take_text(options, rest):
    """Add the TEXT that argparse does not take, as it follows a flag; what remains."""
    end = rest.index("--") if "--" in rest else len(rest)
    unknown = [word for word in rest[:end] if FLAG.fullmatch(word)]
    if not unknown:
        options.text += [*rest[:end], *rest[end + 1 :]]
        rest = []
    return rest


def parse(arguments):
    """The options of a command line; a `ValueError` if it holds what is not known."""
    arguments = sys.argv[1:] if arguments is None else arguments
    for number, argument in enumerate(arguments, 1):
        # Python keeps bytes that are no UTF-8 as surrogates.
        is_text = not re.search("[\ud800-\udfff]", argument)
        expect(is_text, f"argument {number}", "be UTF-8", argument)
    shows_all = any(argument.startswith("--help-") for argument in arguments)
    if "_ARGCOMPLETE" in os.environ:  # a shell asks
        import argcomplete

        argcomplete.autocomplete(build_parser(shows_all=True))
    parser = build_parser(shows_all)
    options, rest = parser.parse_known_args(arguments)
    if options.command in (translate.run, generate.run):
        rest = take_text(options, rest)
    if rest:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    check_filled(options)
    FLAG_NAMES.set(options.names)
    if "runtime" in options:
        options.runtime = options.runtime or translate.runtime_of(options.run)
    check_used(options, options.only)
    return options
