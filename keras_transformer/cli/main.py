"""The command `keras-transformer`: errors in one line, and the exit status."""

import os
import sys
import warnings

from ..config import expect
from ..process import bars
from ..process.flag_names import FLAG_NAMES, spelled
from . import app, clean, info, plan
from .parser import parse
from .startup import start_keras

# The messages of these errors say all; those of others need the error's type as well.
EXPECTED = (ValueError, OSError, ImportError, ArithmeticError)


def main(arguments=None):
    """Run a command line, that of the process by default.

    Returns:
        the exit status: 0, or 2 after one line that says what is wrong; 128 and the
        signal's number if interrupted; 141 if the reader of the output is gone.
    """
    has_output = sys.stdout is not None
    fill_closed_streams()
    with warnings.catch_warnings():
        warnings.showwarning = show_warning
        try:
            expect(has_output, "standard output", "be open", "a closed one")
            options = parse(arguments)
            if needs_keras(options):
                start_keras()
            options.command(options)
            sys.stdout.flush()
        except KeyboardInterrupt as interrupt:
            say(str(interrupt) or "interrupted")
            return 128 + getattr(interrupt, "number", 2)
        except BrokenPipeError:
            drop_output()
            return 141
        except Exception as error:
            lines = spelled(str(error)).splitlines()[:1]
            if not lines or not isinstance(error, EXPECTED):
                lines.insert(0, type(error).__name__)
            say(": ".join(["error", *lines]))
            drop_output()
            return 2
        finally:
            FLAG_NAMES.set(())
    return 0


def fill_closed_streams():
    """Put /dev/null where a standard stream is closed.

    Otherwise a file that is opened later would get its number, 0 to 2, and with it what
    libraries write to standard error.
    """
    descriptor = 0
    while descriptor <= 2:
        descriptor = os.open(os.devnull, os.O_RDWR)
    os.close(descriptor)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))


def drop_output():
    """Send what is left of the output nowhere if it cannot be written.

    Python would try again when it exits, and end with a status of its own.
    """
    try:
        sys.stdout.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())


def needs_keras(options):
    """Whether this process computes with Keras, not CTranslate2 or Ray's workers."""
    if options.command in (clean.run, info.run, plan.run):
        return False
    if options.command is app.run:
        return True
    runtime = getattr(options, "runtime", "keras")
    return runtime == "keras" and not getattr(options, "bulk", None)


def say(text):
    bars.say(f"keras-transformer: {text}", file=sys.stderr)


def show_warning(message, *rest):
    say(f"warning: {spelled(str(message))}")
