"""Corpora to begin with: the captions that come with the package, and Multi30k."""

from pathlib import Path

from ..config import expect
from ..runs.sealed_files import sha256

CAPTIONS = Path(__file__).parent / "captions"
CAPTION_SPLITS = ("train", "valid", "test")

MULTI30K_URL = (
    "https://raw.githubusercontent.com/multi30k/dataset/master/data/task1/raw"
)
MULTI30K_SHA256 = {
    "train.en.gz": "d79cfa999dd4c51d2cb42499b6796d5a882c3a8a961923c25a898c90f8bbd56f",
    "train.de.gz": "726e39b2fa9eb9ffb6dc763fb35a179f80fae06ffc5d28b6ace5faa883de28a6",
    "val.en.gz": "14f7d25ddd868909a9213e361768460edcacdd6ab9d1e77b92560dc10c10dc28",
    "val.de.gz": "f0cba2f995189cf5770f29a8a9a537a3ad3f51657ad873405082ff6863a5e75a",
    "test_2016_flickr.en.gz": (
        "611d361c6334bc7246101d48097c13cf5c4413c5befc793cc629934359d532d9"
    ),
    "test_2016_flickr.de.gz": (
        "9204244e408ccb38d2a55cfcd344df15005fc42a07a6e55ca6c52b6ababb8cc8"
    ),
}
MULTI30K_SPLITS = ("train", "val", "test_2016_flickr")


def captions(split):
    """Paths of the bundled English and German captions of one split.

    Sentences in the manner of picture captions, written by a grammar for this project
    (CC0): 12,000 training pairs, 500 for validation, 500 for testing; no sentence
    occurs twice.

    Args:
        split: "train", "valid" or "test".

    Returns:
        `(source, target)`: paths of two gzip files in UTF-8, English and German, one
        sentence a line.

    Raises:
        ValueError: for another split.

    Examples:
        >>> source, target = captions("valid")
        >>> source.name, target.name
        ('valid.en.gz', 'valid.de.gz')
    """
    expect(split in CAPTION_SPLITS, "split", f"be one of {CAPTION_SPLITS}", split)
    return CAPTIONS / f"{split}.en.gz", CAPTIONS / f"{split}.de.gz"


def multi30k(split, folder=None, url=MULTI30K_URL):
    """Paths of the English and German captions of one split of Multi30k.

    They are downloaded on first use. They are for non-commercial use only, and
    therefore no part of this package. Every file is checked against its SHA-256.

    Args:
        split: "train" (29,000 pairs), "val" (1,014) or "test_2016_flickr" (1,000).
        folder: a folder that holds `train.en.gz` and the like already; nothing is
            downloaded then. Default: download into `~/.keras/datasets/multi30k` (below
            `KERAS_HOME` if that is set).
        url: where the files are downloaded from.

    Returns:
        `(source, target)`: paths of two gzip files in UTF-8, English and German, one
        sentence a line.

    Raises:
        ValueError: for another split, or a file whose checksum is not the expected one.
        FileNotFoundError: if `folder` lacks a file.
        ConnectionError: if a file cannot be downloaded.

    Source: Elliott et al. 2016, "Multi30K: Multilingual English-German Image
    Descriptions", https://github.com/multi30k/dataset
    """
    expect(split in MULTI30K_SPLITS, "split", f"be one of {MULTI30K_SPLITS}", split)
    names = (f"{split}.en.gz", f"{split}.de.gz")
    if folder is None:
        return tuple(_downloaded(name, f"{url}/{name}") for name in names)
    paths = tuple(Path(folder) / name for name in names)
    for path in paths:
        address = f"{url}/{path.name}"
        if not path.is_file():
            raise FileNotFoundError(f"{path} is missing: download it from {address}")
        right = MULTI30K_SHA256[path.name]
        found = sha256(path)
        expect(found == right, path, f"be {address} of SHA-256 {right}", found)
    return paths


def _downloaded(name, address):
    """The path of a file in Keras's cache."""
    import keras  # late: the bundled corpus is read without a backend

    right = MULTI30K_SHA256[name]
    try:
        path = keras.utils.get_file(
            name, address, file_hash=right, cache_subdir="datasets/multi30k"
        )
        return Path(path)
    except ValueError:
        message = f"{address} is not the published file, of SHA-256 {right}"
        raise ValueError(message) from None
    except Exception as error:  # get_file raises bare Exceptions
        raise ConnectionError(
            f"cannot download {address} ({error}): download all files of Multi30k by "
            "hand and pass folder="
        ) from error
