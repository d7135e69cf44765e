"""Where a checkpoint's files come from: a local folder, or the Hugging Face hub."""

from fnmatch import fnmatch
from pathlib import Path

from keras_transformer.runs.sealed_files import sha256

SMALL = (  # what tokenizers and the model's configuration are read from
    "config.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.json",
    "target_vocab.json",
    "source.spm",
    "target.spm",
    "sentencepiece.bpe.model",
    "vocab-src.json",
    "vocab-tgt.json",
    "merges.txt",
)
# Of each format the file of all weights, the list of its parts, and the parts. The
# first format that a checkpoint has is read.
WEIGHTS = (
    (
        "model.safetensors",
        "model.safetensors.index.json",
        "model-*-of-*.safetensors",
    ),
    (
        "pytorch_model.bin",
        "pytorch_model.bin.index.json",
        "pytorch_model-*-of-*.bin",
    ),
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
    commit = None
    if not folder.is_dir():
        folder = _downloaded(str(source), revision)
        commit = folder.name
    elif revision is not None:
        raise ValueError(
            f"revision must be absent for a local folder; received {revision!r}"
        )
    names = needed(path.name for path in folder.glob("*") if path.is_file())
    if "config.json" not in names:
        raise ValueError(
            f"source must have a config.json; received {str(source)!r} without one"
        )
    files = {name: sha256(folder / name) for name in names}
    return folder, {"source": str(source), "revision": commit, "files": files}


def needed(names):
    """Of the names of a checkpoint's files, sorted, those that are read."""
    names = set(names)
    found = names & set(SMALL)
    for whole, index, parts in WEIGHTS:
        if names & {whole, index}:
            found |= names & {whole, index}
            found |= {name for name in names if fnmatch(name, parts)}
            break
    return sorted(found)


def _downloaded(source, revision):
    """The folder in the cache that a name's files are in; its name is the commit."""
    try:
        from huggingface_hub import errors, snapshot_download
    except ImportError:
        raise ImportError(
            f"{source!r} is no folder, and a name on the hub needs huggingface_hub; in "
            'the clone of this project run: pip install -e ".[pretrained]"'
        ) from None

    def download(revision, patterns):
        return snapshot_download(
            source, revision=revision, allow_patterns=list(patterns), token=False
        )

    try:
        folder = Path(download(revision, SMALL))
        if not (folder / "config.json").exists():
            return folder
        for whole, index, parts in WEIGHTS:
            download(folder.name, (whole, index, parts))
            if (folder / whole).exists() or (folder / index).exists():
                break
        return folder
    except errors.GatedRepoError:
        raise ValueError(
            f"source must need no token; received {source!r}: "
            "pass a folder with its files"
        ) from None
    except errors.RepositoryNotFoundError:
        raise ValueError(
            f"source must be a folder or a public model on the hub; received {source!r}"
        ) from None
    except errors.RevisionNotFoundError:
        raise ValueError(
            f"revision must be a branch, tag or commit of {source!r}; "
            f"received {revision!r}"
        ) from None
    except errors.HFValidationError:
        raise ValueError(
            f"source must be a folder or a name on the hub; received {source!r}"
        ) from None
    except (errors.HTTPError, OSError) as error:
        reason = str(error.__cause__ or error).splitlines()[0]
        raise ValueError(
            f"{source!r} is no folder, and the hub cannot be reached for it: {reason}"
        ) from None
