"""Where a checkpoint's files come from: a local folder, or the Hugging Face hub."""

import re
from pathlib import Path

from keras_transformer.runs.sealed_files import sha256

SMALL = {  # what tokenizers and the model's configuration are read from
    *(
        "config.json",
        "tokenizer_config.json",
        "special_tokens_map.json",
        "vocab.json",
        "target_vocab.json",
    ),
    *(
        "source.spm",
        "target.spm",
        "sentencepiece.bpe.model",
        "vocab-src.json",
        "vocab-tgt.json",
        "merges.txt",
    ),
}
WEIGHTS = (  # the first of these that is there is read, with its parts
    ("model.safetensors", None),
    ("model.safetensors.index.json", r"model-\d+-of-\d+\.safetensors"),
    ("pytorch_model.bin", None),
    ("pytorch_model.bin.index.json", r"pytorch_model-\d+-of-\d+\.bin"),
)
WHOLE = tuple(whole for whole, _ in WEIGHTS)


def fetch(source, revision=None):
    """The local folder of a checkpoint, downloaded if need be, and what a run's config.json says of where it is from.

    Only the files that are needed are downloaded, into the cache of `huggingface_hub`,
    which serves again when the hub cannot be reached. No token is read or sent: what
    needs one is downloaded by hand and passed as a folder.

    Args:
        source: a local folder, or a name on the hub such as
            `"Helsinki-NLP/opus-mt-en-de"`.
        revision: of a name on the hub: a branch, tag or commit; its main branch when
            absent.

    Returns:
        the folder, and `{"source": ..., "revision": ..., "files": {name: SHA-256}}`
        with the commit as the revision, None for a folder.

    Raises:
        ValueError: if there is no such folder, name or revision, it has no config.json,
            or the hub cannot be reached.
        ImportError: if `source` is no folder and `huggingface_hub` is not installed.
    """
    folder, commit = Path(source), None
    if not folder.is_dir():
        folder = _downloaded(str(source), revision)
        commit = folder.name
    elif revision is not None:
        raise ValueError(
            f"revision must be absent for a local folder; received {revision!r}"
        )
    names = needed(path.name for path in folder.iterdir() if path.is_file())
    if "config.json" not in names:
        raise ValueError(
            f"source must have a config.json; received {str(source)!r} without one"
        )
    return folder, {
        "source": str(source),
        "revision": commit,
        "files": {name: sha256(folder / name) for name in names},
    }


def needed(names):
    """Of the names of a checkpoint's files, sorted, those that are read."""
    names = set(names)
    found = names & SMALL
    for whole, parts in WEIGHTS:
        if whole in names:
            found |= {
                whole,
                *(name for name in names if parts and re.fullmatch(parts, name)),
            }
            break
    return sorted(found)


def _downloaded(source, revision):
    """The folder in the cache that a name's files are in; its name is the commit."""
    try:
        from huggingface_hub import HfApi, errors, hf_hub_download
    except ImportError:
        raise ImportError(
            f"{source!r} is no folder, and a name on the hub needs huggingface_hub: "
            "pip install 'keras-transformer-nmt[pretrained]'"
        ) from None
    here = dict(revision=revision, token=False)
    try:
        try:
            names = [
                file.rfilename
                for file in HfApi(token=False)
                .model_info(source, revision=revision)
                .siblings
            ]
        except errors.GatedRepoError:
            raise ValueError(
                f"source must need no token; received {source!r}: pass a folder with its files"
            ) from None
        except errors.RepositoryNotFoundError:
            raise ValueError(
                f"source must be a folder or a public model on the hub; received {source!r}"
            ) from None
        except errors.RevisionNotFoundError:
            raise ValueError(
                f"revision must be a branch, tag or commit of {source!r}; received {revision!r}"
            ) from None
        except (
            errors.HTTPError,
            OSError,
        ):  # no connection: an earlier download serves, if it is whole
            folder = Path(
                hf_hub_download(source, "config.json", local_files_only=True, **here)
            ).parent
            if not any((folder / whole).exists() for whole in WHOLE):
                raise
            return folder
        if "config.json" not in names:
            raise ValueError(
                f"source must have a config.json; received {source!r} without one"
            )
        folder = Path(hf_hub_download(source, "config.json", **here)).parent
        # What says that a download is whole comes last.
        for name in sorted(needed(names), key=WHOLE.__contains__):
            hf_hub_download(source, name, revision=folder.name, token=False)
        return folder
    except errors.HFValidationError:
        raise ValueError(
            f"source must be a folder or a name on the hub; received {source!r}"
        ) from None
    except (errors.HTTPError, OSError) as error:
        reason = str(error.__context__ or error).splitlines()[0]
        raise ValueError(
            f"{source!r} is no folder, and the hub cannot be reached for it: {reason}"
        ) from None
