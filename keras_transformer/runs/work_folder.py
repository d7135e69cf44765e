"""Writing under a name of its own first, and the rename that only one can win.

This module imports nothing of ours: any other may import it.
"""

import contextlib
import errno
import os
import shutil
import stat
import tempfile
from pathlib import Path

from safetensors import SafetensorError

try:
    import fcntl
except ImportError:  # Windows has no such locks
    fcntl = None

WORK = ".keras-transformer-"  # how the names of work folders begin
# Errors of writing; the first three name no file.
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
# What a file system says that has no locks.
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP)


@contextlib.contextmanager
def work_folder(path):
    """Give a name for what is to be `path`, in a fresh folder beside it.

    No other user may enter the folder or guess its name. It is removed at the end, or
    by the next process that writes beside it if this one is killed.
    """
    with contextlib.suppress(FileNotFoundError):
        path.lstat()  # a name that is too long shows before any work
    remove_partial(path.parent)
    with naming(path), contextlib.ExitStack() as held:
        folder = fresh_folder(path.parent, held)
        try:
            (folder / "new").mkdir()
            yield folder / "new" / path.name
        finally:
            clear(folder)


@contextlib.contextmanager
def naming(path):
    """Say what was written, where an error names nothing or a name in a work folder."""
    try:
        yield
    except SafetensorError as error:
        raise OSError(f"{str(path)!r} cannot be written: {error}") from None
    except OSError as error:
        name = error.filename
        if WORK in str(name) or (name is None and error.errno in FULL):
            error.filename = str(path)
        raise


def fresh_folder(parent, held):
    """Make a folder with a lock, which an `ExitStack` holds."""
    while True:
        folder = Path(tempfile.mkdtemp(".partial", WORK, parent))
        try:
            (folder / "lock").touch()
            held.enter_context(holding(folder / "lock"))
        except (FileNotFoundError, BlockingIOError):
            continue  # another process took it for a killed one's
        except OSError as error:
            if error.errno not in NO_LOCKS:  # else nobody will clear it up, either
                clear(folder)
                raise
        return folder


def clear(folder):
    """Remove a work folder; what was moved away comes back if its name is free."""
    for old in folder.glob("old/*"):
        with contextlib.suppress(OSError):  # something is there
            old.rename(folder.parent / old.name)
    shutil.rmtree(folder, ignore_errors=True)


def remove_partial(folder):
    """Remove from a folder what killed processes left half written there.

    A directory that was about to be replaced comes back if nothing has taken its place.
    """
    found = Path(folder).glob(f"{WORK}*.partial")
    for left in found if fcntl else ():
        with contextlib.suppress(OSError):  # its process is alive, or it is gone
            about = left.lstat()
            is_ours = about.st_uid == os.geteuid()
            if is_ours and stat.S_ISDIR(about.st_mode):
                (left / "lock").touch()
                with holding(left / "lock"):
                    clear(left)


def publish(aside, path, replaced=None):
    """Give what is written its name, by a rename: only one process can win it.

    A file takes the place of another. A directory takes that of an empty one only, on
    network file systems as well; so one that is to be replaced, whose `os.stat` is
    given, is moved away first. If there is another one it stays as it is: a
    `FileExistsError`.
    """
    for written in (*aside.rglob("*"), aside):
        flush(written)
    exists = FileExistsError(errno.EEXIST, "it exists already", str(path))
    if replaced is not None and path.exists():
        old = aside.parent.with_name("old") / path.name
        old.parent.mkdir()
        if not os.path.samestat(replaced, path.stat()):
            raise exists
        path.rename(old)
    try:
        os.replace(aside, path)
    except OSError:
        if aside.is_dir() and os.path.lexists(path):
            raise exists from None
        raise
    flush(path.parent)


def flush(path):
    """Make the system write a file, or the names in a directory, to the disk."""
    if os.name == "nt" and Path(path).is_dir():
        return  # Windows opens no directories
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def holding(path):
    """Hold a file for this process, or raise a `BlockingIOError` if another one does.

    `flock` on a file that is open for writing holds on network file systems as well.
    """
    if fcntl is None:
        yield
        return
    with open(path, "r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Meanwhile another file may have taken its name.
        if not os.path.samestat(os.fstat(file.fileno()), os.stat(path)):
            raise BlockingIOError(errno.EAGAIN, "it was replaced", str(path))
        yield
