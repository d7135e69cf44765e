"""The command `keras-transformer`: errors in one line, and the exit status."""

import os
import sys
import warnings

from . import translate
from .parser import parse
from .startup import start_keras

# The messages of these errors say all; those of others need the error's type as well.
EXPECTED = (ValueError, OSError, ImportError, ArithmeticError)


def main(arguments=None):
    """Run a command line, that of the process by default.

    Returns:
        the exit status: 0, or 2 after one line that says what is wrong; 128 and the
        signal's number if interrupted; 141 if who reads the output reads no more.
    """
    with warnings.catch_warnings():
        warnings.showwarning = show_warning
        try:
            options = parse(arguments)
            if needs_keras(options):
                start_keras()
            options.command(options)
        except KeyboardInterrupt as interrupt:
            say(str(interrupt) or "interrupted")
            return 128 + getattr(interrupt, "number", 2)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 141
        except Exception as error:
            lines = str(error).splitlines()[:1]
            if not lines or not isinstance(error, EXPECTED):
                lines.insert(0, type(error).__name__)
            say(": ".join(["error", *lines]))
            return 2
    return 0


def needs_keras(options):
    """Whether this process computes with Keras, not CTranslate2 or a worker of it."""
    if options.command is not translate.run:
        return True
    return options.runtime == "keras" and not options.bulk


def say(text):
    print(f"keras-transformer: {text}", file=sys.stderr)


def show_warning(message, *rest):
    say(f"warning: {message}")
