"""A corpus of a few hundred bundled pairs and a model that trains on it in seconds."""

import gzip
import itertools
import json

from keras_transformer.config import DataConfig, TrainingConfig, TransformerConfig
from keras_transformer.data.corpus import clean_pairs
from keras_transformer.data.examples import captions
from keras_transformer.runs.run import Run, RunConfig
from keras_transformer.runs.sealed_files import Manifest

MODEL = TransformerConfig(
    encoder_layers=1, decoder_layers=1, d_model=16, d_ff=16, num_heads=2
)
# Nothing is held out where nothing validates.
DATA = DataConfig(vocab_size=200, batch_tokens=800, valid_size=0)
FLAGS = (
    "--encoder-layers 1 --decoder-layers 1 --d-model 16 --d-ff 16 --num-heads 2 "
    "--vocab-size 200 --batch-tokens 800 --valid-size 0"
).split()


def training(**options):
    return TrainingConfig(
        **{"epochs": 2, "max_updates": 3, "warmup_updates": 50, **options}
    )


def session(path, **options):
    """What the callbacks share, of a run that is only begun."""
    from keras_transformer.training.progress import Session

    (path / "checkpoints").mkdir(exist_ok=True)
    if not (path / "manifest.json").exists():
        (path / "manifest.json").write_text("{}")
    config = RunConfig(MODEL, DATA, TrainingConfig(**options))
    return Session(Run(path, config, Manifest(path)), config.training)


def write_corpus(folder, train=200, valid=8):
    """Write train.en, train.de, valid.en and valid.de; the four paths."""
    folder.mkdir(exist_ok=True)
    paths = []
    for split, count in (("train", train), ("valid", valid)):
        for path, language in zip(captions(split), ("en", "de")):
            with gzip.open(path, "rt", encoding="utf-8") as lines:
                paths.append(folder / f"{split}.{language}")
                paths[-1].write_text(
                    "".join(itertools.islice(lines, count)), encoding="utf-8"
                )
    return paths


def lines_of(corpus):
    """The lines of both sides of the training pairs of `write_corpus`."""
    return [path.read_text(encoding="utf-8").splitlines() for path in corpus[:2]]


def clean(corpus):
    """The training pairs of `write_corpus`."""
    return clean_pairs(*corpus[:2], config=DATA)


def contents(folder):
    """What a folder holds: the bytes of each file by its path, None for a folder."""
    return {
        path: None if path.is_dir() else path.read_bytes() for path in folder.rglob("*")
    }


def log(run):
    """The rows of a run's log.jsonl."""
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
