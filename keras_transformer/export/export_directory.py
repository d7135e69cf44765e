"""An export is a directory: the files of an engine, and about them

config.json       format, model, search, how far it is from the run's model, what it was made with
manifest.json     size and SHA-256 of every file
"""

import contextlib
import dataclasses
import json
from importlib.metadata import version
from pathlib import Path

import numpy as np

from keras_transformer.config import DecodingConfig
from keras_transformer.runs.sealed_files import (
    Manifest,
    new_directory,
    new_file,
    read_json,
    seal,
)
from keras_transformer.text.sentence_format import SentenceFormat
from keras_transformer.text.special_tokens import END

# Sentences and tokens of the batches with which an export is checked.
SHAPES = ((1, 5), (4, 19))


@contextlib.contextmanager
def new_export(run, out, overwrite):
    """Give an empty directory to fill; it becomes `out` when the block ends well, and nothing is left otherwise.

    Keras computes on the processor meanwhile: a GPU may round the products that an
    export is compared with.
    """
    import keras

    if run.path.resolve().is_relative_to(Path(out).resolve()):
        raise ValueError(
            f"out must not be the run or hold it; received {str(out)!r} for run {str(run.path)!r}"
        )
    with new_directory(out, overwrite, kind="export") as aside, keras.device("cpu"):
        yield aside


@dataclasses.dataclass(frozen=True)
class Check:
    """How far an export's answers are from those of the model it was made of."""

    of: str  # what was compared
    # Sentences and source tokens of each comparison.
    shapes: tuple[tuple[int, int], ...]
    largest_difference: float
    tolerance: float

    def __post_init__(self):
        if not self.largest_difference <= self.tolerance:  # NaN is refused as well
            raise ValueError(
                f"the export must give the model's {self.of} within {self.tolerance:g}; received a difference of "
                f"{self.largest_difference:g}, so nothing was written"
            )

    def __str__(self):
        return f"largest difference of {self.of}: {self.largest_difference:.2g} (at most {self.tolerance:g} allowed)"


def write_config(out, format, model, decoding, check, packages, **more):
    """Add to an export's `config.json` what every export says, and seal the directory.

    Args:
        out: the export's directory, all else written.
        format: `"saved_model"`, `"ctranslate2"` or `"onnx"`.
        model: the `TransformerConfig`.
        decoding: the `DecodingConfig`; None where the export does not search.
        check: the `Check`.
        packages: names of the distributions that wrote it.
        **more: what only this format has.
    """
    path = Path(out) / "config.json"
    config = read_json(path) if path.exists() else {}
    config |= {"format": format, "model": dataclasses.asdict(model)}
    if decoding is not None:
        config["decoding"] = dataclasses.asdict(decoding)
    config |= {"check": dataclasses.asdict(check), **more}
    config["made_with"] = {name: version(name) for name in ("keras", *packages)}
    with new_file(path) as file:
        json.dump(config, file, indent=2)
    seal(out)


def read_search(export, format):
    """The `DecodingConfig` and the most positions that an export has, after all its files were verified.

    Raises:
        ValueError: if it is no export of this format, or a file is not what was
            written.
    """
    path = Path(export) / "config.json"
    if not path.is_file():
        raise ValueError(
            f"export must be a directory that `keras-transformer export` wrote; {str(path)!r} is missing"
        )
    Manifest(export).verify()
    try:
        config = read_json(path)
        if config.get("format") != format:
            raise ValueError(
                f"its format must be {format!r}; received {config.get('format')!r}"
            )
        return DecodingConfig(**config["decoding"]), int(config["positions"])
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise ValueError(f"{str(path)!r} cannot be used: {error}") from None


def check_sentences(run):
    """Batches of sources and targets of about the `SHAPES`, always the same: random pieces of the vocabularies."""
    source_tokenizer, target_tokenizer = run.tokenizers
    config, random = run.config.model, np.random.default_rng(0)
    sentence_format = SentenceFormat.of(source_tokenizer, target_tokenizer)
    limit = (config.longest or SHAPES[-1][1] * 4) - max(
        sentence_format.around_source, sentence_format.around_labels
    )

    def fitting(tokenizer, text):
        # Other pieces may come of it than went in.
        while len(tokenizer.encode([text])[0]) > limit:
            text = text[: len(text) // 2]
        return text.strip() or "a"

    def texts(tokenizer, rows, length):
        ids = random.integers(END + 1, tokenizer.vocab_size, (rows, length))
        return [fitting(tokenizer, text) for text in tokenizer.decode(ids)]

    return [
        (texts(source_tokenizer, *shape), texts(target_tokenizer, *shape))
        for shape in SHAPES
    ]
