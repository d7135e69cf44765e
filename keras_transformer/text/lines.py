"""The lines of text files, and what may be a line or a sentence."""

import codecs
import contextlib
from collections.abc import Iterable

from ..config import expect
from .opened import opened_text, readable

LONGEST_LINE = 1 << 26  # bytes; what has no end of line within so many is no text


def read_lines(file, name=None):
    """The lines of a UTF-8 file, plain, `.gz`, `.bz2`, `.xz` or `.zst`, one at a time.

    A line ends at "\\n" or "\\r\\n" and nowhere else: other separators of Unicode occur
    inside sentences, and splitting there would pair the wrong lines. A byte order mark
    is dropped; a file that begins with UTF-16's is read as such. `file` may also be an
    open binary stream of UTF-8, such as `sys.stdin.buffer`; `name` is what errors call
    it. A path of a pipe or a device is refused.

    Raises:
        ValueError: if the file cannot be read, is not UTF-8, or a line has no end (file
            and line number).
    """
    name = name or file
    number = 0
    try:
        with readable(name, "text file"), _opened(file) as stream:
            while raw := stream.readline(LONGEST_LINE):
                number += 1
                if len(raw) == LONGEST_LINE:
                    what = f"have lines of less than {LONGEST_LINE:,} bytes"
                    raise ValueError(f"{name} must {what}; line {number} has more")
                if number == 1:
                    raw = raw.removeprefix(codecs.BOM_UTF8)
                yield raw.removesuffix(b"\n").removesuffix(b"\r").decode("utf-8")
    except UnicodeDecodeError as error:
        message = f"{name} must be UTF-8; line {number} is not: {error.reason}"
        raise ValueError(message) from None


def count_lines(path):
    """The number of lines of a file; raises as `read_lines`."""
    return sum(1 for _ in read_lines(path))


def _opened(file):
    is_open = hasattr(file, "read")
    return contextlib.nullcontext(file) if is_open else opened_text(file)


def checked_text(text, name):
    """The text itself.

    Raises:
        ValueError: if it is no string, or has a lone surrogate, which is no character.
    """
    expect(isinstance(text, str), name, "be a string", text)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        place = text[max(0, error.start - 20) : error.end]
        message = f"{name} must be text without lone surrogates; received {place!r}"
        raise ValueError(message) from None
    return text


def expect_list(texts, name):
    """Raise a `ValueError` for one string and for what is no iterable."""
    is_list = isinstance(texts, Iterable) and not isinstance(texts, (str, bytes))
    is_list = is_list and getattr(texts, "ndim", 1) > 0  # NumPy's, of one value
    expect(is_list, name, "be a list of strings", texts)


def checked_texts(texts, name):
    """The texts of an iterable, one at a time, each as `checked_text` gives it.

    What is no iterable of strings is refused at once.
    """
    expect_list(texts, name)
    return (checked_text(text, f"{name}[{n}]") for n, text in enumerate(texts))
