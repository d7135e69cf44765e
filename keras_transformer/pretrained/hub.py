"""Where a checkpoint's files come from: a local folder, or the Hugging Face hub."""

from pathlib import Path

from keras_transformer.config import expect
from keras_transformer.runs.extras import how_to_get
from keras_transformer.runs.sealed_files import sha256

# What tokenizers and the model's configuration are read from.
SMALL = (
    "config.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "*vocab*.json",
    "*.spm",
    "sentencepiece.bpe.model",
    "merges.txt",
)
# The first of these that a checkpoint has is read.
WEIGHTS = (
    "model.safetensors",
    "model-*-of-*.safetensors",
    "pytorch_model.bin",
    "pytorch_model-*-of-*.bin",
)


def fetch(source, revision=None):
    """The local folder of a checkpoint, downloaded if need be, and where it is from.

    Only the files that are needed are downloaded, into the cache of `huggingface_hub`,
    which serves again when the hub cannot be reached. No token is read or sent: what
    needs one is downloaded by hand and passed as a folder.

    Args:
        source: a local folder, or a name on the hub such as
            `"Helsinki-NLP/opus-mt-en-de"`.
        revision: of a name on the hub: a branch, tag or commit; its main branch when
            absent.

    Returns:
        the folder, and what a run's config.json is to say: `{"source": ...,
        "revision": ..., "files": {name: SHA-256}}` with the commit as the revision,
        None for a folder.

    Raises:
        ValueError: if there is no such folder, name or revision, it has no config.json,
            or the hub cannot be reached.
        ImportError: if `source` is no folder and `huggingface_hub` is not installed.
    """
    folder = Path(source)
    source = str(source)
    commit = None
    if folder.is_dir():
        expect(revision is None, "revision", "be absent for a local folder", revision)
    else:
        folder = _downloaded(source, revision)
        commit = folder.name
    found = [*matching(folder, SMALL), *weights_in(folder)]
    files = {path.name: sha256(path) for path in found}
    expect("config.json" in files, "source", "have a config.json", source)
    return folder, {"source": source, "revision": commit, "files": files}


def matching(folder, patterns):
    """The files of a folder whose names match one of the patterns."""
    found = {path for pattern in patterns for path in folder.glob(pattern)}
    return sorted(path for path in found if path.is_file())


def weights_in(folder):
    """The files that hold the weights: those of the first format that there is."""
    found = (matching(folder, [pattern]) for pattern in WEIGHTS)
    return next(filter(None, found), [])


def _downloaded(source, revision):
    """The folder in the cache that a name's files are in; its name is the commit."""
    try:
        from huggingface_hub import errors, snapshot_download
    except ImportError:
        wanted = how_to_get("pretrained")
        raise ImportError(f"{source!r} is no folder; for the hub: {wanted}") from None

    def download(revision, *patterns):
        options = dict(revision=revision, allow_patterns=list(patterns), token=False)
        return Path(snapshot_download(source, **options))

    try:
        folder = download(revision, *SMALL)
        for pattern in WEIGHTS:
            download(folder.name, pattern)
            if weights_in(folder):
                break
        return folder
    except errors.RevisionNotFoundError:
        expected = f"revision must be a branch, tag or commit of {source!r}"
        message = f"{expected}; received {revision!r}"
    except (errors.RepositoryNotFoundError, errors.HFValidationError):
        expected = "source must be a folder or a public model on the hub"
        message = f"{expected}; received {source!r}"
    except (errors.HTTPError, OSError) as error:
        reason = str(error.__cause__ or error).splitlines()[0]
        message = f"{source!r} is no folder, and the hub cannot be reached: {reason}"
    raise ValueError(message)
