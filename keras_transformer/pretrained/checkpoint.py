"""A checkpoint's files, from a folder or the Hugging Face hub, and the tensors in them.

Tensors are read one at a time; nothing in a checkpoint is executed.
"""

import re
import zipfile
from pathlib import Path

import numpy as np
from safetensors import safe_open

from ..config import expect, one_of, refused
from ..process.extras import how_to_get, needed
from ..runs.sealed_files import reading, sha256
from ..runs.work_folder import FULL

# What tokenizers and the model's configuration are read from.
SMALL = (
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "generation_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "*vocab*.json",
    "*.spm",
    "*.bpe.model",
    "spiece.model",
    "merges.txt",
    "vocab.txt",
)
# The first of these that a checkpoint has is read.
WEIGHTS = (
    "model.safetensors",
    "model-*-of-*.safetensors",
    "pytorch_model.bin",
    "pytorch_model-*-of-*.bin",
)
# Tables of older files that are no weights: masks, rates, and 0, 1, 2 and so on.
BUFFERS = re.compile(r".*(\.attn\.(masked_)?bias|\.rotary_emb\.inv_freq|position_ids)")
LARGEST_HEADER = 1 << 22  # bytes, of what says which tensors there are
LONGEST_NAME = 200  # characters


def fetch(source, revision=None):
    """The local folder of a checkpoint, downloaded if need be, and where it is from.

    Only the files that are needed are downloaded, into the cache of `huggingface_hub`,
    which serves again when the hub cannot be reached. No token is read or sent: what
    needs one is downloaded by hand and passed as a folder.

    Returns:
        the folder, and what a run's config.json is to say: `{"source": ...,
        "revision": ..., "files": {name: SHA-256}}` with the commit as the revision,
        None for a folder.
    """
    folder = Path(source)
    source = str(source)
    commit = None
    if folder.is_dir():
        expect(revision is None, "revision", "be absent for a local folder", revision)
    else:
        folder = _downloaded(source, revision)
        commit = folder.name
    paths = matching(folder, SMALL) + weights_in(folder)
    files = {path.name: sha256(path) for path in paths}
    expect("config.json" in files, "source", "have a config.json", source)
    return folder, {"source": source, "revision": commit, "files": files}


def matching(folder, patterns):
    """The files of a folder whose names match one of the patterns."""
    found = {path for pattern in patterns for path in folder.glob(pattern)}
    return sorted(path for path in found if path.is_file())


def weights_in(folder):
    """The files that hold the weights: those of the first format that there is."""
    for pattern in WEIGHTS:
        found = matching(folder, [pattern])
        if found:
            break
    return found


def _downloaded(source, revision):
    """The folder in the cache that a name's files are in; its name is the commit."""
    try:
        from huggingface_hub import errors, snapshot_download
    except ImportError:
        hint = how_to_get("pretrained")
        raise ImportError(f"{source!r} is no folder; for the hub: {hint}") from None

    def download(revision, patterns):
        folder = snapshot_download(
            source, revision=revision, allow_patterns=patterns, token=False
        )
        return Path(folder)

    try:
        folder = download(revision, SMALL)
        for pattern in WEIGHTS:
            download(folder.name, pattern)
            if weights_in(folder):
                break
        return folder
    except errors.RevisionNotFoundError:
        must = f"be a branch, tag or commit of {source!r}"
        raise refused("revision", must, revision) from None
    except (errors.RepositoryNotFoundError, errors.HFValidationError):
        must = "be a folder or a public model on the hub"
    except (errors.HTTPError, OSError) as error:
        if getattr(error, "errno", None) in FULL:  # the disk of the cache
            raise
        reason = str(error.__cause__ or error).splitlines()[0]
        must = f"be a folder: the hub cannot be reached ({reason})"
    raise refused("source", must, source)


def open_checkpoint(folder):
    """The tensors of a folder: an object with `shapes` and `read(name)`."""
    paths = weights_in(Path(folder))
    expect(paths, "source", f"hold one of {', '.join(WEIGHTS)}", str(folder))
    with reading(paths[0]):
        return Torch(paths) if paths[0].suffix == ".bin" else Safetensors(paths)


class Safetensors:
    """Tensors in safetensors files; their headers say the `shapes` by name."""

    def __init__(self, paths):
        self.shapes = {}
        self._paths = {}
        for path in paths:
            with open(path, "rb") as file:
                size = int.from_bytes(file.read(8), "little")
            check_header("its header", size)
            with safe_open(path, framework="np") as file:
                for name in weights_of(file.keys(), self.shapes):
                    header = file.get_slice(name)
                    one_of(name, header.get_dtype(), ["F32", "F16", "BF16"])
                    self.shapes[name] = tuple(header.get_shape())
                    self._paths[name] = path

    def read(self, name):
        """A tensor as a new float32 array; a `ValueError` if a number is not finite."""
        # Opened anew each time: what is read stays mapped, and counts as memory, as
        # long as the file is open.
        with safe_open(self._paths[name], framework="np") as file:
            array = np.ascontiguousarray(file.get_tensor(name), dtype="float32")
        check_finite(name, array)
        return array


class Torch:
    """Tensors in files of `torch.save`, read as data: no object but tensors is made."""

    def __init__(self, paths):
        needed("torch", extra="torch")
        self.shapes = {}
        self._tensors = {}
        for path in paths:
            found = loaded(path)
            for name in weights_of(found, self.shapes):
                tensor = found[name]
                check_tensor(name, tensor)
                self.shapes[name] = tuple(tensor.shape)
                self._tensors[name] = tensor

    def read(self, name):
        """A tensor as a new float32 array; a `ValueError` if a number is not finite."""
        import torch

        copy = torch.empty(self.shapes[name], dtype=torch.float32)
        array = copy.copy_(self._tensors[name].detach()).numpy()
        check_finite(name, array)
        return array


def loaded(path):
    """The dict in a file of `torch.save`; its tensors may be of any kind."""
    import torch

    # Where the format allows it, memory is taken by one tensor at a time.
    mmap = zipfile.is_zipfile(path)
    if mmap:
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                is_stored = member.compress_type == zipfile.ZIP_STORED
                must = "be stored as it is"
                expect(is_stored, member.filename, must, "a compressed member")
                if "/data/" not in member.filename:  # where tensors have their numbers
                    check_header(member.filename, member.file_size)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)
    except Exception as error:  # of many kinds
        reason = (str(error) or repr(error)).splitlines()[0]
        raise ValueError(reason) from None
    is_dict = isinstance(content, dict)
    expect(is_dict, "the content", "be a dict of tensors", type(content))
    return content


def check_header(name, size):
    """Raise a `ValueError` if what says which tensors there are is no such thing."""
    must = f"have at most {LARGEST_HEADER:,} bytes"
    expect(size <= LARGEST_HEADER, name, must, size)


def weights_of(names, known):
    """Those names of tensors that are weights; a `ValueError` for what is no name."""
    for name in names:
        kind = type(name)
        expect(kind is str, "the name of each tensor", "be a string", kind)
        is_name = name.isprintable() and len(name) <= LONGEST_NAME
        must = f"be printable and have at most {LONGEST_NAME} characters"
        expect(is_name, "the name of each tensor", must, name[:LONGEST_NAME])
        expect(name not in known, name, "be one tensor", "several")
        if not BUFFERS.fullmatch(name):
            yield name


def check_tensor(name, tensor):
    """Raise a `ValueError` unless a tensor of torch is an array of floats."""
    import torch

    kind = type(tensor).__name__
    is_dense = False
    if type(tensor) in (torch.Tensor, torch.nn.Parameter):
        kind = f"{tensor.dtype}, {tensor.layout}, on {tensor.device.type}"
        is_dense = tensor.layout == torch.strided and not tensor.is_nested
        is_dense = is_dense and tensor.device.type == "cpu"
    floats = (torch.float32, torch.float16, torch.bfloat16, torch.float64)
    is_float = is_dense and tensor.dtype in floats
    expect(is_float, name, "be a dense tensor of floating-point numbers", kind)
    # Otherwise it says some of its numbers many times, and a small file fills memory.
    held = tensor.untyped_storage().nbytes()
    must = f"have its {tensor.nbytes:,} bytes in the file"
    expect(tensor.nbytes <= held, name, must, held)


def check_finite(name, array):
    """Raise a `ValueError` if a number of an array is not finite."""
    others = array[~np.isfinite(array)]
    expect(others.size == 0, name, "hold finite numbers", others[:1].tolist())
