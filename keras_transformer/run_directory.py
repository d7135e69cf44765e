"""A run is a directory: what every command takes and leaves.

config.json       the model's, the data's and the training's configuration
tokenizer.model   or tokenizer.source.model and tokenizer.target.model
model.keras       the model; opens on every backend
data/             the tokenised corpus, memory-mapped
checkpoints/      weights of the last epochs
log.jsonl         one line an epoch
"""

import contextlib
import dataclasses
import json
from pathlib import Path

from keras_transformer.config import DataConfig, TrainingConfig, TransformerConfig
from keras_transformer.files import written_aside
from keras_transformer.text import Tokenizer

CONFIG_KINDS = {"model": TransformerConfig, "data": DataConfig, "training": TrainingConfig}


@contextlib.contextmanager
def new_file(path):
    """Give a text file to write to, which becomes `path` when the block ends well; nothing is left otherwise.

    A pipe or a device is written to as it is; through a link, the file that it names is replaced.

    Raises:
        ValueError: if `path` is a directory, or in none.
    """
    path = Path(path)
    if path.is_dir() or not path.parent.is_dir():
        raise ValueError(f"path must be that of a file in an existing directory; received {str(path)!r}")
    special = path.exists() and not path.is_file()
    with contextlib.nullcontext(path) if special else written_aside(path.resolve()) as place:
        with open(place, "w", encoding="utf-8") as file:
            yield file


@contextlib.contextmanager
def new_run(run, overwrite=False):
    """Give an empty directory to fill; it becomes `run` when the block ends well, and nothing is left otherwise.

    Raises:
        ValueError: if `run` exists and is not to be overwritten, or is something other than a run.
    """
    run = Path(run)
    if run.exists() and not overwrite:
        raise ValueError(f"run {str(run)!r} exists already; pass --overwrite to replace it, or choose another name")
    if run.exists() and any(run.iterdir() if run.is_dir() else [run]) and not (run / "config.json").is_file():
        raise ValueError(f"run {str(run)!r} exists and is not a run directory; it is left as it is")
    run = run.resolve()  # through a link, the directory that it names is replaced
    missing = [parent for parent in run.parents if not parent.exists()]
    run.parent.mkdir(parents=True, exist_ok=True)
    try:
        with written_aside(run) as aside:
            aside.mkdir()
            yield aside
    except BaseException:
        for parent in missing:
            with contextlib.suppress(OSError):
                parent.rmdir()
        raise


def write_configs(run, **configs):
    """Write `config.json`; the keywords are `model`, `data` and `training`."""
    text = json.dumps({kind: dataclasses.asdict(config) for kind, config in configs.items()}, indent=2)
    with new_file(Path(run) / "config.json") as file:
        file.write(text + "\n")


def read_config(run, kind):
    """The `TransformerConfig` ("model"), `DataConfig` ("data") or `TrainingConfig` ("training") of a run.

    Raises:
        ValueError: if the run has none, or it cannot be read.
    """
    path = Path(run) / "config.json"
    if not path.is_file():
        raise ValueError(f"run must be a directory that `keras-transformer train` wrote; {str(path)!r} is missing")
    try:
        return CONFIG_KINDS[kind](**json.loads(path.read_text(encoding="utf-8"))[kind])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{str(path)!r} cannot be used: {error}") from None


def save_tokenizers(run, source_tokenizer, target_tokenizer):
    """Write the run's tokenizer, or both if they differ."""
    run = Path(run)
    if source_tokenizer is target_tokenizer:
        return source_tokenizer.save(run / "tokenizer.model")
    source_tokenizer.save(run / "tokenizer.source.model")
    target_tokenizer.save(run / "tokenizer.target.model")


def load_tokenizers(run):
    """The run's source and target `Tokenizer`: the same object if the vocabulary is shared."""
    run = Path(run)
    if (run / "tokenizer.source.model").exists():
        return Tokenizer.load(run / "tokenizer.source.model"), Tokenizer.load(run / "tokenizer.target.model")
    shared = Tokenizer.load(run / "tokenizer.model")
    return shared, shared


def save_model(run, model):
    """Write `model.keras`, optimizer included."""
    with written_aside(Path(run) / "model.keras") as aside:
        model.save(aside)


def load_model(run):
    """The run's `Transformer`, not compiled, checked against the run's tokenizers.

    Raises:
        ValueError: if there is no model in the run, it cannot be read, or its vocabulary is not the tokenizers'.
    """
    import keras

    from keras_transformer.models import Transformer

    config = read_config(run, "model")
    path = Path(run) / "model.keras"
    if not path.is_file():
        raise ValueError(f"run {str(run)!r} holds no model: {path.name} is missing (was its training stopped early?)")
    try:
        model = keras.models.load_model(path, compile=False)
    except Exception as error:
        reason = (str(error) or repr(error)).splitlines()[0]
        raise ValueError(f"{str(path)!r} cannot be read as a model: {reason}") from None
    if not isinstance(model, Transformer) or model.config != config:
        raise ValueError(f"{str(path)!r} is not the model that config.json describes")
    sizes = tuple(tokenizer.vocab_size for tokenizer in load_tokenizers(run))
    expected = (config.source_vocab_size, config.target_vocab_size)
    if sizes != expected:
        raise ValueError(
            f"the tokenizers of {str(run)!r} must have {expected} tokens as the model has; received {sizes}"
        )
    return model
