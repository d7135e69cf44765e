"""Archives of files: zip and tar, packed or not."""

import contextlib
import shutil
import tarfile
import tempfile
import zipfile
from pathlib import Path

from ..config import expect
from ..runs.sealed_files import check_regular
from ..text.opened import largest, opened, readable

ARCHIVES = (".zip", ".tar", ".tgz", ".tbz2", ".txz")
ARCHIVES += (".tar.gz", ".tar.bz2", ".tar.xz", ".tar.zst")
# RuntimeError: a zip file with a password.
UNREADABLE = (tarfile.TarError, zipfile.BadZipFile, RuntimeError, NotImplementedError)


def is_archive(path):
    """Whether a file is an archive by its name."""
    return path.name.lower().endswith(ARCHIVES)


@contextlib.contextmanager
def unpacked(path):
    """Give a folder with the files of an archive, which goes when the block ends.

    Raises:
        ValueError: if it cannot be read, a name in it leads elsewhere, or its files
            have more bytes than those of any text would.
    """
    check_regular(path)
    most = largest(path)
    left = most
    with tempfile.TemporaryDirectory(prefix="pairs-") as folder:
        home = Path(folder).resolve()
        damage = readable(path, "archive", *UNREADABLE)
        with damage, contextlib.closing(members(path)) as found:
            for name, size, stream in found:
                place = (home / name).resolve()
                is_inside = place.is_relative_to(home)
                expect(is_inside, path, "hold names inside of it", name)
                left -= size
                must = f"unpack to at most {most:,} bytes"
                expect(left >= 0, path, must, "more")
                place.parent.mkdir(parents=True, exist_ok=True)
                with stream, place.open("wb") as file:
                    shutil.copyfileobj(stream, file)
        yield home


def members(path):
    """The name, the size and the stream of each file in an archive."""
    if path.name.lower().endswith(".zip"):
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                if not info.is_dir():
                    yield info.filename, info.file_size, archive.open(info)
        return
    with opened(path) as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
        for member in archive:
            if member.isfile():
                yield member.name, member.size, archive.extractfile(member)
