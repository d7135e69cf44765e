"""A run is a directory: what every command takes and leaves.

config.json       the configurations of the model, the data and the training
tokenizer.model   or tokenizer.source.model and tokenizer.target.model; a run that began
                  with somebody else's checkpoint has the folders tokenizer, or
                  tokenizer.source and tokenizer.target, whose kind.json says which kind
                  of tokenizer each is
markup.json       what the tokenizer has symbols for, if it has
data/             the tokenised corpus, memory-mapped
manifest.json     size and SHA-256 of all of the above, which never changes
model.keras       the model without optimizer; `keras.models.load_model` opens it
checkpoints/      to resume from; weights of the last and the best epochs
log.jsonl         one line an epoch
scores.json       what `evaluate` said of the model
README.md         the card: all that the run knows, for a reader
"""

import contextlib
import dataclasses
import functools
import json
import warnings
from pathlib import Path

from ..config import (
    CausalLMConfig,
    DataConfig,
    DecodingConfig,
    TrainingConfig,
    TransformerConfig,
    config_from,
    expect,
    expect_path,
)
from ..pretrained.tokenizers.load import load_folder
from ..text.markup import Markup
from ..text.tokenizer import Tokenizer
from .card import write_card
from .sealed_files import (
    UNREADABLE,
    Manifest,
    locked,
    new_file,
    read_json,
    reading,
    seal,
    sha256,
    similar,
    write_json,
    written_aside,
)
from .work_folder import remove_partial

FORMAT = 2  # of a run's files
SCORES = "scores.json"
MARKUP = "markup.json"
MADE = "run must be a directory that `keras-transformer train` or `import` made"


@dataclasses.dataclass(frozen=True)
class RunConfig:
    """What a run's `config.json` says.

    Attributes:
        model: the `TransformerConfig`, or the `CausalLMConfig` of a language model.
        data: the `DataConfig`.
        training: the `TrainingConfig`.
        origin: where the checkpoint comes from that the run began with, if it did.
        languages: the codes of source and target language, if they are known.
        quantization: `"int8"` if `model.keras` is quantized; None for floats.
    """

    model: TransformerConfig | CausalLMConfig
    data: DataConfig
    training: TrainingConfig
    origin: dict | None = None
    languages: list | None = None
    quantization: str | None = None

    @property
    def is_language_model(self):
        return isinstance(self.model, CausalLMConfig)


@dataclasses.dataclass(eq=False)
class Run:
    """A run directory. `Run.open` reads and checks its settings, once.

    Attributes:
        path: the directory.
        config: the `RunConfig`.
        manifest: the `Manifest` of the files that never change.

    Example (needs a run):
        run = Run.open("run")
        run.translator()("Two young girls are sitting on a bench.")
        run.model().summary()
        [row["val_nats"] for row in run.log]
    """

    path: Path
    config: RunConfig
    manifest: Manifest | None = None

    @classmethod
    def open(cls, path):
        """The run in a directory.

        Raises:
            ValueError: if there is none, its settings cannot be read or are not what
                was written, or it is of another format.
        """
        expect_path("run", path)
        path = Path(path)
        for name in ("config.json", "manifest.json"):
            if not (path / name).is_file():
                # A process that was to replace it may have been killed.
                remove_partial(path.resolve().parent)
            if not path.exists():
                raise ValueError(f"no run at '{path}'{similar(path, 'run')}")
            if not (path / name).is_file():
                raise ValueError(f"{MADE}; '{path / name}' is missing")
        manifest = Manifest(path)
        content = manifest.read_json("config.json")
        if "made_with" in content:
            kind = content.get("format")
            what = f"{MADE}; '{path}' is an export of one, as {kind}"
            raise ValueError(f"{what}: its README.md says what opens it")
        found = content.get("format", "none, as of an older version")
        if found != FORMAT:
            raise ValueError(
                f"run '{path}' must be of format {FORMAT}; received {found}. Train it "
                "again, or use the version of keras_transformer that made it"
            )
        with reading(path / "config.json"):
            config = RunConfig(
                config_from(content["model"]),
                DataConfig(**content["data"]),
                TrainingConfig(**content["training"]),
                content.get("origin"),
                content.get("languages"),
                content.get("quantization"),
            )
        return cls(path, config, manifest)

    @classmethod
    def begin(cls, folder, config, tokenizers):
        """Make a run of a folder that holds its data, or nothing.

        Args:
            folder: the path; `new_directory` gives one that appears when complete.
            config: the `RunConfig`.
            tokenizers: for source and target; the same object if they are shared, or
                if it is a language model's.
        """
        save_tokenizers(folder, *tokenizers)
        content = {"format": FORMAT, **dataclasses.asdict(config)}
        write_json(folder / "config.json", content)
        seal(folder)
        run = cls(folder, config, Manifest(folder))
        write_card(run)
        return run

    def check_place(self):
        """Raise a `ValueError` if another run has taken the place of this one."""
        if Manifest(self.path).sums != self.manifest.sums:
            raise ValueError(f"run '{self.path}' is another one by now")

    @functools.cached_property
    def tokenizers(self):
        """The source and the target tokenizer: the same object if they are shared."""
        paths = [*tokenizer_paths(self.path), self.path / MARKUP]
        self.manifest.verify(*(path.name for path in paths if path.exists()))
        return read_tokenizers(self.path)

    @property
    def log(self):
        """What `log.jsonl` says of each epoch, as dicts; see `read_log`."""
        return read_log(self.path / "log.jsonl")

    @property
    def scores(self):
        """What `note_scores` noted of the model that is saved now: a dict by test."""
        with contextlib.suppress(*UNREADABLE):  # there are none, or a damaged file
            found = read_json(self.path / SCORES)
            if found["model"] == self.model_digest():
                return dict(found["scores"])
        return {}

    def model_digest(self):
        """The SHA-256 of `model.keras`, which another training may change."""
        return sha256(self.path / "model.keras")

    def note_scores(self, digest, test, scores):
        """Keep scores in the run, for its card; warn where that cannot be.

        Args:
            digest: the `model_digest` of the model that was scored.
            test: what it was scored on, in words.
            scores: a dict.
        """
        try:
            with locked(self.path):
                is_same = self.model_digest() == digest
                must = "be the one that was scored"
                expect(is_same, "model.keras", must, "another one")
                content = {"model": digest, "scores": self.scores | {test: scores}}
                with new_file(self.path / SCORES) as file:
                    json.dump(content, file, indent=2)
                write_card(self)
        except (OSError, ValueError) as error:
            said = f"the scores are not kept in the run: {error}"
            warnings.warn(said, stacklevel=2)

    def model(self, dtype=None):
        """The `Transformer` or `CausalLM`, not compiled.

        Nothing in the file is executed or made: the model is built from `config.json`,
        and its arrays are read.

        Args:
            dtype: Keras dtype policy; the one it was trained in when absent.

        Raises:
            ValueError: if there is no model in the run, it cannot be read, or it is not
                the one that `config.json` describes.
        """
        from .archive import read_model

        self.check_model()
        path = self.path / "model.keras"
        config = self.config
        dtype = dtype or config.training.dtype
        return read_model(path, config.model, dtype, config.quantization)

    def check_model(self):
        """Raise a `ValueError` if no model is saved yet."""
        if not (self.path / "model.keras").is_file():
            what = "model.keras is missing (was its training stopped early?)"
            raise ValueError(f"run '{self.path}' holds no model: {what}")

    def save_model(self, model):
        """Write `model.keras` without the optimizer; it appears when it is complete."""
        import keras

        compiled = model.compiled
        optimizer = getattr(model, "optimizer", None)
        try:
            # Keras has no option to save a compiled model like one that is not.
            model.compiled = False
            model.optimizer = None
            place = written_aside(self.path / "model.keras")
            with place as aside, keras.device("cpu"):
                model.save(aside)
        finally:
            model.compiled = compiled
            model.optimizer = optimizer

    def translator(self, config=None, glossary=None):
        """The `Translator` of the run's model; arguments as there."""
        from ..decoding.translator import Translator

        self.check_kind(is_language_model=False)
        search = self.search(config)
        return Translator(self.model(), *self.tokenizers, search, glossary)

    def generator(self, config=None, stop=()):
        """The `Generator` of the run's language model, for a `DecodingConfig`.

        `stop` are tokens that end a text, as for a `Generator`.
        """
        from ..decoding.generator import Generator

        self.check_kind(is_language_model=True)
        return Generator(self.model(), self.tokenizers[0], config, stop)

    def check_kind(self, is_language_model):
        """Raise a `ValueError` if the model is of the other kind."""
        what = "a language model" if is_language_model else "a translation model"
        found = type(self.config.model).__name__.removesuffix("Config")
        is_right = self.config.is_language_model == is_language_model
        expect(is_right, f"run {str(self.path)!r}", f"hold {what}", found)

    def search(self, config=None):
        """A `DecodingConfig` that cuts no sentence as long as those of the training."""
        config = config or DecodingConfig()
        trained = self.config.data.max_length
        if config.max_source_length is None and trained > config.longest_source:
            config = dataclasses.replace(config, max_source_length=trained)
        return config


def save_tokenizers(folder, source, target):
    """Write a run's or an export's tokenizer, or both if they differ."""
    names = {"tokenizer": source}
    if source is not target:
        names = {"tokenizer.source": source, "tokenizer.target": target}
    for name, tokenizer in names.items():
        if isinstance(tokenizer, Tokenizer):
            name += ".model"
        tokenizer.save(Path(folder) / name)
    if source.markup is not None:
        write_json(Path(folder) / MARKUP, dataclasses.asdict(source.markup))


def tokenizer_paths(folder):
    """Where `save_tokenizers` wrote the source and the target tokenizer in a folder."""
    names = ("tokenizer.source.model", "tokenizer.source", "tokenizer")
    present = [name for name in names if (Path(folder) / name).exists()]
    name = [*present, "tokenizer.model"][0]
    return Path(folder) / name, Path(folder) / name.replace("source", "target")


def read_tokenizers(folder):
    """The source and the target tokenizer that `save_tokenizers` wrote in a folder."""
    paths = tokenizer_paths(folder)
    load = Tokenizer.load if paths[0].suffix == ".model" else load_folder
    source = load(paths[0])
    target = source if paths[0] == paths[1] else load(paths[1])
    path = Path(folder) / MARKUP
    if path.exists():
        content = read_json(path)
        presets = tuple(content["presets"])
        target.markup = Markup(presets, content["pattern"])
        source.markup = target.markup
    return source, target


def read_log(path):
    """The rows of a `log.jsonl`; a warning says which are damaged or missing."""
    rows = []
    text = path.read_text("utf-8", errors="replace") if path.is_file() else ""
    lines = text.splitlines()
    for line in lines:
        with contextlib.suppress(*UNREADABLE):
            row = json.loads(line)
            if isinstance(row["epoch"], int):
                rows.append(row)
    epochs = [row["epoch"] for row in rows]
    if epochs != [*range(1, len(lines) + 1)]:
        said = f"'{path}' is damaged: of {len(lines)} lines, those of epochs"
        warnings.warn(f"{said} {epochs} can be read", stacklevel=2)
    return rows
