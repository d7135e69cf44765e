"""Files that appear whole or not at all, and that show whether they are damaged."""

import collections
import contextlib
import difflib
import errno
import gzip
import hashlib
import io
import json
import os
import stat
import warnings
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from ..config import expect
from .work_folder import FULL, NO_LOCKS, holding, publish, remove_partial, work_folder

LARGEST_JSON = 1 << 20  # bytes
NOT_WRITTEN = (".bz2", ".xz", ".zst")  # packings that are read alone
# What reading a damaged file may raise.
UNREADABLE = (OSError, ValueError, TypeError, KeyError, AttributeError)
UNREADABLE += (RecursionError, SafetensorError)


@contextlib.contextmanager
def written_aside(path):
    """Give a name beside `path` to write to; it becomes `path` if the block ends well.

    A loss of power leaves the old file or the new one, a failing block the old one. A
    directory takes no place but that of an empty one, see `publish`.
    """
    path = Path(path)
    with work_folder(path) as aside:
        yield aside
        publish(aside, path)


@contextlib.contextmanager
def new_file(path):
    """Give a text file to write to, which becomes `path` when the block ends well.

    A pipe or a device is written to as it is; through a link, its file is replaced. A
    `.gz` file is packed.
    """
    path = Path(path)
    fits = path.parent.is_dir() and not path.is_dir()
    expect(fits, "output", "be that of a file in an existing directory", str(path))
    is_written = path.suffix.lower() not in NOT_WRITTEN
    expect(is_written, "output", "be plain or end in .gz", str(path))
    place = written_aside(path.resolve())
    if path.exists() and not path.is_file():
        place = contextlib.nullcontext(path)
    with contextlib.ExitStack() as opened:
        file = opened.enter_context(open(opened.enter_context(place), "wb"))
        if path.suffix == ".gz":  # without name and time: equal texts, equal bytes
            packed = gzip.GzipFile("", "wb", fileobj=file, mtime=0)
            file = opened.enter_context(packed)
        yield opened.enter_context(io.TextIOWrapper(file, "utf-8"))


@contextlib.contextmanager
def new_directory(path, overwrite=False, kind="run"):
    """Give an empty directory to fill, which becomes `path` when the block ends well.

    With `overwrite` it may take the place of another of its kind, `"run"` or
    `"export"`, or of an empty one; all others are refused with a `ValueError`, and so
    is what another process made meanwhile.
    """
    check_new(path, overwrite, kind)
    path = Path(path)
    place = path.resolve()  # through a link, the directory that it names is replaced
    replaced = None
    with contextlib.ExitStack() as held:
        if path.exists() and not is_empty(path):
            held.enter_context(locked(path))  # nobody may train it meanwhile
            replaced = place.stat()
        try:
            held.enter_context(parents_of(place))
            aside = held.enter_context(work_folder(place))
            aside.mkdir()
        except OSError as error:  # which may name another path
            if error.errno in FULL:
                raise
            what = f"{kind} {str(path)!r} cannot be made"
            raise ValueError(f"{what}: {error.strerror}") from None
        yield aside
        try:
            publish(aside, place, replaced)
        except FileExistsError:
            raise exists_already(path, kind) from None


def check_new(path, overwrite=False, kind="run"):
    """Raise a `ValueError` if `new_directory` would refuse what there is now."""
    path = Path(path)
    remove_partial(path.resolve().parent)
    if not path.exists():
        return
    if not overwrite:
        raise exists_already(path, kind)
    if not is_empty(path) and kind_of(path) != kind:
        what = f"{kind} {str(path)!r} exists and is no {kind} directory"
        raise ValueError(f"{what}; it is left as it is")


def exists_already(path, kind):
    what = f"{kind} {str(path)!r} exists already"
    return ValueError(f"{what}; pass --overwrite to replace it")


def is_empty(path):
    """Whether a path is that of a directory that holds nothing."""
    return path.is_dir() and not any(path.iterdir())


@contextlib.contextmanager
def parents_of(path):
    """Make the directories that a path lies in; they go again if the block fails."""
    missing = [parent for parent in path.parents if not parent.exists()]
    present = path.parents[len(missing)]
    if not present.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, f"{str(present)!r} is no directory")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        for parent in missing:
            with contextlib.suppress(OSError):
                parent.rmdir()
        raise


def kind_of(path):
    """What a directory is: `"run"`, `"export"` of a run, or None for all others."""
    config = path / "config.json"  # other programs write one as well
    # Not `Path.is_file`, which raises an error for a folder that may not be read.
    if not all(map(os.path.isfile, (config, path / "manifest.json"))):
        return None
    with contextlib.suppress(ValueError):  # a damaged one counts as a run
        if "made_with" in read_json(config):
            return "export"
    return "run"


def similar(path, kind):
    """What to say of a path where no run or export is: the likeliest one beside it."""
    names = []
    with contextlib.suppress(OSError):  # there is no folder, or it may not be read
        folders = path.parent.iterdir()
        names = [other.name for other in folders if kind_of(other) == kind]
    for name in difflib.get_close_matches(path.name, names, n=1):
        return f"; did you mean '{path.with_name(name)}'?"
    return ""


@contextlib.contextmanager
def locked(run):
    """Hold a run for this process, whatever its name becomes, until the process ends.

    If another process holds it, a `ValueError` says so. Where a file system has no
    locks, a warning says that nothing keeps another process away.
    """
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(holding(Path(run) / "manifest.json"))
        except BlockingIOError:
            what = "is being trained or replaced by another process"
            raise ValueError(f"{str(run)!r} {what}") from None
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
            what = "nothing keeps a second process from training or replacing it"
            said = f"{str(run)!r} cannot be locked ({error.strerror}): {what}"
            warnings.warn(said, stacklevel=4)
        yield


def check_regular(path):
    """Raise a `ValueError` for a pipe, a device or a socket, an `OSError` for nothing.

    These may have no end, or keep a reader waiting; none can be read twice.
    """
    mode = os.stat(path).st_mode
    is_usual = stat.S_ISREG(mode) or stat.S_ISDIR(mode)  # to open that says more
    must = "be a regular file, no pipe or device"
    expect(is_usual, path, must, stat.filemode(mode))


def read_regular(path, most, name="it"):
    """The bytes of a regular file that has at most so many."""
    check_regular(path)
    size = Path(path).stat().st_size
    expect(size <= most, name, f"have at most {most:,} bytes", size)
    return Path(path).read_bytes()


def sha256(path):
    """The SHA-256 of a file, in hexadecimal digits."""
    check_regular(path)
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fingerprint(path):
    """What `manifest.json` says of a file."""
    return {"bytes": path.stat().st_size, "sha256": sha256(path)}


@contextlib.contextmanager
def reading(path, *errors):
    """Turn what damage raises, or these errors, into one that names the file."""
    try:
        yield
    except (*UNREADABLE, *errors) as error:
        reason = getattr(error, "strerror", None) or str(error) or repr(error)
        line = reason.splitlines()[0]
        raise ValueError(f"{str(path)!r} cannot be used: {line}") from None


def read_json(path):
    """The JSON object in one of our files; a `ValueError` if it cannot be one."""
    return read_with_bytes(path)[1]


def read_with_bytes(path):
    """The bytes of a file, which is read once, and the JSON object that they are."""
    with reading(path):
        data = read_regular(path, LARGEST_JSON)
        content = json.loads(data)
        expect(isinstance(content, dict), "it", "hold an object", type(content))
    return data, content


def write_json(path, content):
    """Write JSON that ends with its last bracket: a file that is cut is no JSON."""
    path.write_text(json.dumps(content, indent=2), "utf-8")


def seal(folder):
    """Write the `manifest.json` of all that is in a new run or export."""
    folder = Path(folder)
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    sums = {path.relative_to(folder).as_posix(): fingerprint(path) for path in files}
    write_json(folder / "manifest.json", sums)


class Manifest:
    """What `seal` wrote: the size and the SHA-256 of each file of a folder."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.sums = read_json(self.folder / "manifest.json")

    def verify(self, *names):
        """Raise a `ValueError` unless these files (folders, or all) are as sealed."""
        for name in names or self.sums:
            inside = [file for file in self.sums if file.startswith(f"{name}/")]
            for file in inside or [name]:
                found = None
                with contextlib.suppress(*UNREADABLE):
                    found = fingerprint(self.folder / file)
                self._compare(file, found)

    def read_json(self, name):
        """The content of a sealed JSON file, which is read once, if it is as sealed."""
        data, content = read_with_bytes(self.folder / name)
        digest = hashlib.sha256(data).hexdigest()
        self._compare(name, {"bytes": len(data), "sha256": digest})
        return content

    def _compare(self, name, found):
        what = "is not the file that was written with manifest.json"
        if found is None:
            what += ": it is missing or cannot be read"
        if found is None or found != self.sums.get(name):
            raise ValueError(f"'{self.folder / name}' {what}")


def save_arrays(folder, stem, groups, metadata):
    """Write arrays to `FOLDER/STEM.DIGEST.safetensors`; the name tells if it is whole.

    An older file of the same stem is removed at the end, and kept if this one fails.
    """
    arrays = {}
    for group, found in groups.items():
        arrays |= {f"{group}/{n:05d}": array for n, array in enumerate(found)}
    older = list(Path(folder).glob(f"{stem}.*.safetensors"))
    with work_folder(Path(folder) / stem) as aside:
        save_file(arrays, aside, {"json": json.dumps(metadata)})
        path = Path(folder) / f"{stem}.{sha256(aside)[:16]}.safetensors"
        publish(aside, path)
    for other in {*older} - {path}:
        other.unlink()


def is_whole(path):
    """Whether a file that `save_arrays` wrote is still what it wrote."""
    return sha256(path)[:16] == Path(path).stem.rpartition(".")[2]


def load_arrays(path):
    """The groups of arrays and the metadata of a file that `save_arrays` wrote."""
    path = Path(path)
    groups = collections.defaultdict(list)
    try:
        if not is_whole(path):
            raise ValueError("its content is not what was written")
        with safe_open(path, framework="np") as file:
            for name in sorted(file.keys()):
                groups[name.partition("/")[0]].append(file.get_tensor(name))
            return groups, json.loads(file.metadata()["json"])
    except UNREADABLE as error:
        raise ValueError(f"{path.name} cannot be used: {error}") from None
