"""Files that appear whole or not at all, and that show whether they are still what was written."""

import contextlib
import glob
import hashlib
import json
import os
import re
import shutil
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file


@contextlib.contextmanager
def written_aside(path):
    """Give a name beside `path` to write to; it becomes `path` when the block ends well, and goes away otherwise.

    What the block wrote is on the disk before it takes the name, and the name before
    this returns: a loss of power leaves the old file or the new one.
    """
    path = Path(path)
    aside = path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")
    try:
        yield aside
        for written in (*aside.rglob("*"), aside) if aside.is_dir() else (aside,):
            flush(written)
        if not path.is_dir():
            os.replace(aside, path)
        else:  # a directory takes the place of an empty one only
            replaced = path.with_name(f".{path.name}.{os.getpid()}.replaced")
            os.replace(path, replaced)
            os.replace(aside, path)
            shutil.rmtree(replaced)
        flush(path.parent)
    finally:
        if aside.is_dir():
            shutil.rmtree(aside)
        aside.unlink(missing_ok=True)


def flush(path):
    """Make the operating system write a file, or the names in a directory, to the disk."""
    if os.name == "nt" and Path(path).is_dir():
        return  # Windows opens no directories
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_partial(folder, stem=None):
    """Clear a folder of what killed processes of this machine left of files that they wrote aside as `stem`, or any.

    A directory that was about to be replaced comes back if nothing has taken its place.
    """
    for left in Path(folder).glob(".*" if stem is None else f".{glob.escape(stem)}.*"):
        owner = re.search(r"\.(\d+)\.(partial|replaced)", left.name)
        if owner is None or not is_gone(int(owner[1])):
            continue
        place = left.with_name(left.name[1 : owner.start()])
        if owner[2] == "replaced" and not place.exists():
            left.rename(place)
        elif left.is_dir():
            shutil.rmtree(left)
        else:
            left.unlink(missing_ok=True)


def is_gone(process):
    """Whether the process of an earlier writing has ended; if this machine cannot tell, not."""
    return (
        process == os.getpid()
        or Path("/proc/self").exists()
        and not Path(f"/proc/{process}").exists()
    )


def sha256(path):
    """The SHA-256 of a file, in hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def save_arrays(folder, stem, arrays, metadata):
    """Write arrays to `FOLDER/STEM.DIGEST.safetensors`: the file's own name tells whether it is still what was written.

    Args:
        folder: an existing directory; an older file of the same stem in it is removed.
        stem: the name without digest and ending.
        arrays: NumPy arrays by name.
        metadata: what JSON can hold.

    Returns:
        the path.

    Raises:
        OSError: if it cannot be written; what was there before is kept.
    """
    aside = Path(folder) / f".{stem}.{os.getpid()}.partial"
    try:
        try:
            save_file(arrays, aside, {"json": json.dumps(metadata)})
        except SafetensorError as error:  # the disk may be full
            raise OSError(f"{str(folder)!r} cannot be written to: {error}") from None
        flush(aside)
        path = aside.with_name(f"{stem}.{sha256(aside)[:16]}.safetensors")
        os.replace(aside, path)
        flush(folder)
    finally:
        aside.unlink(missing_ok=True)
    for other in path.parent.glob(f"{stem}.*.safetensors"):
        if other != path:
            other.unlink()
    return path


def is_whole(path):
    """Whether a file that `save_arrays` wrote is still what it wrote."""
    return sha256(path)[:16] == Path(path).stem.rpartition(".")[2]


def load_arrays(path):
    """The arrays and the metadata of a file that `save_arrays` wrote.

    Raises:
        ValueError: if it cannot be read, or is not what was written.
    """
    path = Path(path)
    try:
        if not is_whole(path):
            raise ValueError("its content is not what was written")
        with safe_open(path, framework="np") as file:
            return {
                name: file.get_tensor(name) for name in sorted(file.keys())
            }, json.loads(file.metadata()["json"])
    except (OSError, ValueError, TypeError, KeyError, SafetensorError) as error:
        raise ValueError(f"{path.name} cannot be used: {error}") from None
