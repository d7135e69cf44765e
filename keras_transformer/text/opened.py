"""Files as binary streams: packed ones unpacked, within limits."""

import bz2
import codecs
import contextlib
import gzip
import io
import lzma
import os
import zlib
from pathlib import Path

from ..config import expect
from ..process.extras import needed
from ..runs.sealed_files import check_regular

# Bytes of a file that is read as a whole.
LARGEST = 1 << 28
# A packed file may unpack to so many bytes, or so many times its own if that is more.
UNPACKED = 1 << 28
TIMES = 200
DAMAGED = (OSError, EOFError, zlib.error, lzma.LZMAError)
WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@contextlib.contextmanager
def readable(name, kind, *errors):
    """Turn these errors, and those of damage, into a `ValueError` of that kind."""
    try:
        yield
    except (*DAMAGED, *errors) as error:
        reason = getattr(error, "strerror", None) or error
        message = f"{name} must be a readable {kind}; received {reason}"
        raise ValueError(message) from None


def opened(path):
    """A binary stream of a file; `.gz`, `.bz2`, `.xz` and `.zst` files are unpacked.

    Raises:
        ValueError: for a pipe or a device; and while it is read if it unpacks to more
            than any text would.
    """
    check_regular(path)
    unpack = UNPACK.get(Path(path).suffix.lower())
    if unpack is None:
        return open(path, "rb")
    return io.BufferedReader(Limited(unpack(path), path, largest(path)))


def zstd_stream(path):
    """The content of a `.zst` file."""
    needed("zstandard", extra="data")
    import zstandard

    return zstandard.open(path, "rb")


UNPACK = {
    ".gz": gzip.open,
    ".tgz": gzip.open,
    ".bz2": bz2.open,
    ".tbz2": bz2.open,
    ".xz": lzma.open,
    ".txz": lzma.open,
    ".zst": zstd_stream,
}


def read_whole(path, name):
    """The bytes of a file, unpacked; a `ValueError` if it is too large for memory."""
    with readable(name, "file"), opened(path) as stream:
        content = stream.read(LARGEST + 1)
    expect(len(content) <= LARGEST, name, f"have at most {LARGEST:,} bytes", "more")
    return content


def largest(path):
    """How many bytes a packed file may unpack to."""
    return max(UNPACKED, TIMES * os.path.getsize(path))


def without_packing(path):
    """The name of a file, of a packed one that of what is in it."""
    return path.stem if path.suffix.lower() in UNPACK else path.name


def ending_of(path):
    """The ending of a file's name, of a packed one that of what is in it."""
    return Path(without_packing(Path(path)).lower()).suffix


class Limited(io.RawIOBase):
    """A stream that ends in a `ValueError` after so many bytes."""

    def __init__(self, stream, name, most):
        self.stream = stream
        self.name = name
        self.most = most
        self.left = most

    def readable(self):
        return True

    def readinto(self, buffer):
        try:
            data = self.stream.read(len(buffer))
        except DAMAGED:
            raise
        except Exception as error:  # zstandard has an error of its own
            raise OSError(str(error)) from None
        self.left -= len(data)
        if self.left < 0:
            what = f"unpack to at most {self.most:,} bytes"
            raise ValueError(f"{self.name} must {what}; received more")
        buffer[: len(data)] = data
        return len(data)

    def close(self):
        self.stream.close()
        super().close()


class Recoded(io.RawIOBase):
    """The text of a UTF-16 stream as UTF-8."""

    def __init__(self, stream):
        self.text = io.TextIOWrapper(stream, "utf-16", newline="")
        self.rest = b""

    def readable(self):
        return True

    def readinto(self, buffer):
        self.rest = self.rest or self.text.read(1 << 16).encode()
        size = min(len(buffer), len(self.rest))
        buffer[:size] = self.rest[:size]
        self.rest = self.rest[size:]
        return size

    def close(self):
        self.text.close()
        super().close()


@contextlib.contextmanager
def opened_text(path):
    """A binary stream of a text file in UTF-8, without byte order mark.

    A file that begins with the mark of UTF-16 is recoded.
    """
    with opened(path) as stream:
        begin = stream.peek(3)[:3]
        if begin[:2] in WIDE:
            yield io.BufferedReader(Recoded(stream))
            return
        if begin == codecs.BOM_UTF8:
            stream.read(3)
        yield stream
