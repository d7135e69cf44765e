"""A run is a directory: what every command takes and leaves.

config.json       the configurations of the model, the data and the training
tokenizer.model   or tokenizer.source.model and tokenizer.target.model; a run that began
                  with somebody else's checkpoint has the folders tokenizer, or
                  tokenizer.source and tokenizer.target, whose kind.json says which kind
                  of tokenizer each is
data/             the tokenised corpus, memory-mapped
manifest.json     size and SHA-256 of all of the above, which never changes
model.keras       the model without optimizer; `keras.models.load_model` opens it
checkpoints/      to resume from; weights of the last and the best epochs
log.jsonl         one line an epoch
"""

import dataclasses
import functools
import json
from pathlib import Path

from keras_transformer.config import DataConfig, TrainingConfig, TransformerConfig
from keras_transformer.pretrained.tokenizers.load import load_folder
from keras_transformer.runs.sealed_files import (
    UNREADABLE,
    Manifest,
    locked,
    new_file,
    remove_partial,
    seal,
    written_aside,
)
from keras_transformer.text.tokenizer import Tokenizer

FORMAT = 2  # of a run's files
MADE = "run must be a directory that `keras-transformer train` or `import` made"


@dataclasses.dataclass(frozen=True)
class RunConfig:
    """What a run's `config.json` says.

    Attributes:
        model: the `TransformerConfig`.
        data: the `DataConfig`.
        training: the `TrainingConfig`.
        origin: where the checkpoint comes from that the run began with, if it did.
    """

    model: TransformerConfig
    data: DataConfig
    training: TrainingConfig
    origin: dict | None = None

    @classmethod
    def from_json(cls, content):
        """The inverse of `dataclasses.asdict`."""
        return cls(
            model=TransformerConfig(**content["model"]),
            data=DataConfig(**content["data"]),
            training=TrainingConfig(**content["training"]),
            origin=content.get("origin"),
        )


class Run:
    """A run directory. `Run.open` reads and checks its settings, once.

    Attributes:
        path: the directory.
        config: the `RunConfig`.

    Example (needs a run):
        run = Run.open("run")
        run.translator()("Two young girls are sitting on a bench.")
        run.model().summary()
        [row["val_nats"] for row in run.log]
    """

    def __init__(self, path, config, manifest):
        self.path = Path(path)
        self.config = config
        self._manifest = manifest

    @classmethod
    def open(cls, path):
        """The run in a directory.

        Raises:
            ValueError: if there is none, its settings cannot be read or are not what
                was written, or it is of another format.
        """
        path = Path(path)
        place = path / "config.json"
        if not place.is_file():
            raise ValueError(f"{MADE}; {str(place)!r} is missing")
        if not (path / "manifest.json").is_file():
            raise ValueError(f"{MADE}; {str(path)!r} is none")
        manifest = Manifest(path)
        content = manifest.read_json("config.json")
        if not isinstance(content, dict):
            raise ValueError(f"{str(place)!r} cannot be used: it holds no settings")
        if "made_with" in content:
            raise ValueError(f"{MADE}; {str(path)!r} is an export of one")
        found = content.get("format", "none, as of an older version")
        if found != FORMAT:
            raise ValueError(
                f"run {str(path)!r} must be of format {FORMAT}; received {found}. "
                "Train it again, or use the version of keras_transformer that made it"
            )
        try:
            config = RunConfig.from_json(content)
        except UNREADABLE as error:
            raise ValueError(f"{str(place)!r} cannot be used: {error}") from None
        return cls(path, config, manifest)

    @classmethod
    def begin(cls, folder, config, tokenizers):
        """Make a run of a folder that holds its data, or nothing.

        Args:
            folder: where; `new_directory` gives one that appears when it is complete.
            config: the `RunConfig`.
            tokenizers: for source and target; the same object if they are shared.

        Returns:
            the `Run`.
        """
        folder = Path(folder)
        save_tokenizers(folder, *tokenizers)
        content = {"format": FORMAT, **dataclasses.asdict(config)}
        with new_file(folder / "config.json") as file:
            file.write(json.dumps(content, indent=2) + "\n")
        seal(folder)
        return cls(folder, config, Manifest(folder))

    def verify(self, *names):
        """Raise a `ValueError` unless these files or folders are what was written."""
        self._manifest.verify(*names)

    def locked(self):
        """Hold the run for this process; an error if another process holds it."""
        return locked(self.path)

    def remove_partial(self):
        """Remove what killed processes left when they wrote into the run."""
        remove_partial(self.path)
        remove_partial(self.path / "checkpoints")

    @functools.cached_property
    def tokenizers(self):
        """The source and the target tokenizer: the same object if they are shared.

        Raises:
            ValueError: if one is missing, or is not what was written.
        """
        self.verify(*tokenizer_names(self.path))
        return read_tokenizers(self.path)

    @property
    def log(self):
        """What `log.jsonl` says of each epoch, as a list of dicts."""
        return read_log(self.path / "log.jsonl")

    def model(self, dtype=None):
        """The `Transformer`, not compiled.

        Nothing in the file is executed or made: the model is built from `config.json`,
        and its arrays are read.

        Args:
            dtype: Keras dtype policy of the model; the one it was trained in when
                absent.

        Raises:
            ValueError: if there is no model in the run, it cannot be read, it is not
                the one that `config.json` describes, or its vocabulary is not the
                tokenizers'.
        """
        from keras_transformer.models.transformer import Transformer
        from keras_transformer.runs.archive import check_archive, load_weights

        path = self.path / "model.keras"
        if not path.is_file():
            raise ValueError(
                f"run {str(self.path)!r} holds no model: {path.name} is missing "
                "(was its training stopped early?)"
            )
        config = self.config.model
        sizes = tuple(tokenizer.vocab_size for tokenizer in self.tokenizers)
        expected = (config.source_vocab_size, config.target_vocab_size)
        if sizes != expected:
            raise ValueError(
                f"the tokenizers of {str(self.path)!r} must have {expected} tokens as "
                f"the model has; received {sizes}"
            )
        check_archive(path, config)
        model = Transformer(config, dtype=dtype or self.config.training.dtype)
        load_weights(model, path)
        return model

    def holds_model(self):
        """Whether the run has a `model.keras` that is whole."""
        from keras_transformer.runs.archive import check_archive

        try:
            check_archive(self.path / "model.keras", self.config.model)
        except ValueError:
            return False
        return True

    def save_model(self, model):
        """Write `model.keras` without the optimizer; it appears when it is complete."""
        import keras

        with written_aside(self.path / "model.keras") as aside, keras.device("cpu"):
            uncompiled(model).save(aside)

    def translator(self, config=None):
        """The `Translator` of the run's model, for a `DecodingConfig`."""
        from keras_transformer.decoding.translator import Translator

        return Translator(self.model(), *self.tokenizers, config=config)


def uncompiled(model):
    """A model of the same weights, which Keras saves without an optimizer."""
    if not model.compiled:
        return model
    plain = type(model).from_config(model.get_config())
    plain.set_weights(model.get_weights())
    return plain


def save_tokenizers(folder, source, target):
    """Write a run's or an export's tokenizer, or both if they differ."""
    names = {"tokenizer": source}
    if source is not target:
        names = {"tokenizer.source": source, "tokenizer.target": target}
    for name, tokenizer in names.items():
        ending = ".model" if isinstance(tokenizer, Tokenizer) else ""
        tokenizer.save(Path(folder) / f"{name}{ending}")


def tokenizer_names(folder):
    """The names of what `save_tokenizers` wrote into a folder."""
    for names in (
        ("tokenizer.source.model", "tokenizer.target.model"),
        ("tokenizer.source", "tokenizer.target"),
        ("tokenizer",),
    ):
        if (Path(folder) / names[0]).exists():
            return names
    return ("tokenizer.model",)


def read_tokenizers(folder):
    """The source and the target tokenizer that `save_tokenizers` wrote into a folder.

    Raises:
        ValueError: if one cannot be read.
    """
    found = []
    for name in tokenizer_names(folder):
        path = Path(folder) / name
        if path.suffix == ".model":
            found.append(Tokenizer.load(path))
        else:
            found.append(load_folder(path))
    return found[0], found[-1]


def read_log(path):
    """The rows of a `log.jsonl`, without the lines that are damaged."""
    if not path.exists():
        return []
    rows = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            row = json.loads(line)
        except UNREADABLE:
            continue
        if isinstance(row, dict) and isinstance(row.get("epoch"), int):
            rows.append(row)
    return rows
