"""Files that appear whole or not at all, and that show whether they are damaged."""

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

try:
    import fcntl
except ImportError:  # Windows has no such locks
    fcntl = None

LARGEST_JSON = 1 << 20  # bytes
# What reading a damaged file may raise.
UNREADABLE = (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError)


@contextlib.contextmanager
def written_aside(path):
    """Give a name beside `path` to write to; it becomes `path` if the block ends well.

    What the block wrote is on the disk before it takes the name, and the name is there
    before this returns: a loss of power leaves the old file or the new one. When the
    block fails, nothing is left of it.
    """
    path = Path(path)
    aside = path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")
    try:
        yield aside
        for written in aside.rglob("*"):
            flush(written)
        flush(aside)
        if path.is_dir():  # a directory can take the place of an empty one only
            replaced = path.with_name(f".{path.name}.{os.getpid()}.replaced")
            os.replace(path, replaced)
            os.replace(aside, path)
            shutil.rmtree(replaced)
        else:
            os.replace(aside, path)
        flush(path.parent)
    finally:
        remove(aside)


def remove(path):
    """Remove a file or a directory, if it is there."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


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
def new_file(path):
    """Give a text file to write to, which becomes `path` when the block ends well.

    A pipe or a device is written to as it is; through a link, the file that it names is
    replaced.

    Raises:
        ValueError: if `path` is a directory, or in none.
    """
    path = Path(path)
    if path.is_dir() or not path.parent.is_dir():
        raise ValueError(
            "path must be that of a file in an existing directory; "
            f"received {str(path)!r}"
        )
    if path.exists() and not path.is_file():
        place = contextlib.nullcontext(path)
    else:
        place = written_aside(path.resolve())
    with place as name, open(name, "w", encoding="utf-8") as file:
        yield file


@contextlib.contextmanager
def new_directory(path, overwrite=False, kind="run"):
    """Give an empty directory to fill, which becomes `path` when the block ends well.

    Args:
        path: the directory to make.
        overwrite: whether it may take the place of another of the same kind.
        kind: `"run"` or `"export"`.

    Raises:
        ValueError: if `path` exists and is not to be overwritten, or is something else.
    """
    path = Path(path)
    remove_partial_beside(path)
    held = contextlib.nullcontext()
    if path.exists():
        if not overwrite:
            raise ValueError(
                f"{kind} {str(path)!r} exists already; pass --overwrite to replace it, "
                "or choose another name"
            )
        is_empty = path.is_dir() and not any(path.iterdir())
        if not is_empty and kind_of(path) != kind:
            article = "an" if kind == "export" else "a"
            raise ValueError(
                f"{kind} {str(path)!r} exists and is not {article} {kind} directory; "
                "it is left as it is"
            )
        held = locked(path)  # nobody may train it meanwhile
    path = path.resolve()  # through a link, the directory that it names is replaced
    missing = [parent for parent in path.parents if not parent.exists()]
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with held, written_aside(path) as aside:
            aside.mkdir()
            yield aside
    except BaseException:
        for parent in missing:
            with contextlib.suppress(OSError):
                parent.rmdir()
        raise


def kind_of(path):
    """What a directory is: `"run"`, `"export"` of a run, or None for all others."""
    path = Path(path)
    config = path / "config.json"  # other programs write one as well
    if not config.is_file() or not (path / "manifest.json").is_file():
        return None
    try:
        return "export" if "made_with" in read_json(config) else "run"
    except UNREADABLE:
        return "run"  # a damaged one


@contextlib.contextmanager
def locked(run, wait=False):
    """Hold a run for this process; the system lets go of it when the process ends.

    Args:
        run: the directory, or any other.
        wait: whether to wait while another process holds it.

    Raises:
        ValueError: if another process holds it.
    """
    if fcntl is None:
        yield
        return
    descriptor = os.open(run, os.O_RDONLY)
    how = fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB
    try:
        try:
            fcntl.flock(descriptor, how)
        except BlockingIOError:
            raise ValueError(
                f"run {str(run)!r} is being trained by another process"
            ) from None
        yield
    finally:
        os.close(descriptor)


def remove_partial_beside(path):
    """Remove, beside `path`, what killed processes left when they were making it."""
    path = Path(path).resolve()
    remove_partial(path.parent, path.stem)


def remove_partial(folder, stem=None):
    """Remove from a folder what killed processes of this machine left half written.

    A directory that was about to be replaced comes back if nothing has taken its place.

    Args:
        folder: where to look.
        stem: of the files that were to be written; of all when absent.
    """
    pattern = ".*" if stem is None else f".{glob.escape(stem)}.*"
    for left in Path(folder).glob(pattern):
        owner = re.search(r"\.(\d+)\.(partial|replaced)", left.name)
        if owner is None or not is_gone(int(owner[1])):
            continue
        place = left.with_name(left.name[1 : owner.start()])
        if owner[2] == "replaced" and not place.exists():
            left.rename(place)
        else:
            remove(left)


def is_gone(process):
    """Whether the process of an earlier writing has ended, as far as can be told."""
    if process == os.getpid():
        return True
    return Path("/proc/self").exists() and not Path(f"/proc/{process}").exists()


def sha256(path):
    """The SHA-256 of a file, in hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_small(path):
    """The bytes of a JSON file, unless it is too large to be one of ours."""
    size = Path(path).stat().st_size
    if size > LARGEST_JSON:
        raise ValueError(
            f"it must have at most {LARGEST_JSON:,} bytes; received {size:,}"
        )
    return Path(path).read_bytes()


def read_json(path):
    """The content of a JSON file, unless it is too large to be one of ours."""
    return json.loads(read_small(path).decode("utf-8"))


def seal(folder):
    """Write the `manifest.json` of all that is in a new run or export."""
    sums = {}
    for path in sorted(Path(folder).rglob("*")):
        if path.is_file():
            name = path.relative_to(folder).as_posix()
            sums[name] = {"bytes": path.stat().st_size, "sha256": sha256(path)}
    with new_file(Path(folder) / "manifest.json") as file:
        json.dump(sums, file, indent=2)


class Manifest:
    """What `seal` wrote: the size and the SHA-256 of each file of a folder.

    Raises:
        ValueError: if it is missing or damaged.
    """

    def __init__(self, folder):
        self.folder = Path(folder)
        path = self.folder / "manifest.json"
        try:
            self.sums = {
                name: (entry["bytes"], entry["sha256"])
                for name, entry in read_json(path).items()
            }
        except UNREADABLE as error:
            raise ValueError(f"{str(path)!r} cannot be used: {error}") from None

    def verify(self, *names):
        """Raise a `ValueError` unless these files are what was sealed.

        Args:
            *names: files, or folders for all in them; everything without a name.
        """
        chosen = [] if names else list(self.sums)
        for name in names:
            inside = [file for file in self.sums if file.startswith(f"{name}/")]
            chosen += inside or [name]
        for file in chosen:
            path = self.folder / file
            try:
                found = (path.stat().st_size, sha256(path))
            except UNREADABLE:
                found = None
            self._check(file, found)

    def read_json(self, name):
        """The content of a sealed JSON file, which is read once.

        Raises:
            ValueError: if it is not what was sealed, or is no JSON.
        """
        path = self.folder / name
        try:
            content = read_small(path)
            parsed = json.loads(content.decode("utf-8"))
        except UNREADABLE as error:
            raise ValueError(f"{str(path)!r} cannot be used: {error}") from None
        self._check(name, (len(content), hashlib.sha256(content).hexdigest()))
        return parsed

    def _check(self, name, found):
        if found is None or found != self.sums.get(name):
            raise ValueError(
                f"{str(self.folder / name)!r} is not the file that was written with "
                "manifest.json"
            )


def save_arrays(folder, stem, arrays, metadata):
    """Write arrays to `FOLDER/STEM.DIGEST.safetensors`; the name tells if it is whole.

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
        save_file(arrays, aside, {"json": json.dumps(metadata)})
        flush(aside)
        path = aside.with_name(f"{stem}.{sha256(aside)[:16]}.safetensors")
        os.replace(aside, path)
        flush(folder)
    except SafetensorError as error:  # the disk may be full
        raise OSError(f"{str(folder)!r} cannot be written to: {error}") from None
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
            arrays = {name: file.get_tensor(name) for name in sorted(file.keys())}
            return arrays, json.loads(file.metadata()["json"])
    except (*UNREADABLE, SafetensorError) as error:
        raise ValueError(f"{path.name} cannot be used: {error}") from None
