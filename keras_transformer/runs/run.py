"""A run is a directory: what every command takes and leaves.

config.json       the model's, the data's and the training's configuration
tokenizer.model   or tokenizer.source.model and tokenizer.target.model; of a run that began with somebody else's
                  checkpoint the folders tokenizer, or tokenizer.source and
                  tokenizer.target, whose kind.json says which kind of tokenizer each is
data/             the tokenised corpus, memory-mapped
manifest.json     size and SHA-256 of all of the above, which never changes
model.keras       the model; opens on every backend
checkpoints/      to resume from; weights of the last and the best epochs
log.jsonl         one line an epoch
"""

import contextlib
import dataclasses
import json
import os
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows has no such locks
    fcntl = None

from keras_transformer.config import DataConfig, TrainingConfig, TransformerConfig
from keras_transformer.pretrained.tokenizers.load import load_folder
from keras_transformer.runs.sealed_files import remove_partial, sha256, written_aside
from keras_transformer.text.tokenizer import Tokenizer

LARGEST_JSON = 1 << 20  # bytes
CONFIG_KINDS = {
    "model": TransformerConfig,
    "data": DataConfig,
    "training": TrainingConfig,
}


@contextlib.contextmanager
def new_file(path):
    """Give a text file to write to, which becomes `path` when the block ends well; nothing is left otherwise.

    A pipe or a device is written to as it is; through a link, the file that it names is
    replaced.

    Raises:
        ValueError: if `path` is a directory, or in none.
    """
    path = Path(path)
    if path.is_dir() or not path.parent.is_dir():
        raise ValueError(
            f"path must be that of a file in an existing directory; received {str(path)!r}"
        )
    special = path.exists() and not path.is_file()
    with (
        contextlib.nullcontext(path)
        if special
        else written_aside(path.resolve()) as place
    ):
        with open(place, "w", encoding="utf-8") as file:
            yield file


def tidy(run):
    """Clear away, beside a run, what killed processes left when they were making it."""
    run = Path(run).resolve()
    remove_partial(run.parent, run.stem)


@contextlib.contextmanager
def new_directory(path, overwrite=False, kind="run"):
    """Give an empty directory to fill; it becomes `path` when the block ends well, and nothing is left otherwise.

    Args:
        path: the directory to make.
        overwrite: whether it may take the place of another of the same kind.
        kind: `"run"` or `"export"`.

    Raises:
        ValueError: if `path` exists and is not to be overwritten, or is something else.
    """
    path = Path(path)
    tidy(path)
    if path.exists() and not overwrite:
        raise ValueError(
            f"{kind} {str(path)!r} exists already; pass --overwrite to replace it, or choose another name"
        )
    if (
        path.exists()
        and any(path.iterdir() if path.is_dir() else [path])
        and kind_of(path) != kind
    ):
        article = "an" if kind == "export" else "a"
        raise ValueError(
            f"{kind} {str(path)!r} exists and is not {article} {kind} directory; it is left as it is"
        )
    # Nobody may train it meanwhile.
    held = locked(path) if path.exists() else contextlib.nullcontext()
    path = path.resolve()  # through a link, the directory that it names is replaced
    missing = [parent for parent in path.parents if not parent.exists()]
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with held, written_aside(path) as aside:
            aside.mkdir()
            yield aside
    except BaseException:
        for parent in missing:
            with contextlib.suppress(OSError):
                parent.rmdir()
        raise


def kind_of(path):
    """What a directory is: `"run"`, `"export"` of a run, or None, as other programs have a `config.json` as well."""
    path = Path(path)
    if not (path / "config.json").is_file():
        return None
    try:
        content = read_json(path / "config.json")
        if "made_with" in content:
            return "export"
        if {*CONFIG_KINDS} <= {*content}:
            return "run"
    except (OSError, ValueError, TypeError, RecursionError):
        pass
    return "run" if (path / "manifest.json").is_file() else None  # a damaged one


def read_json(path):
    """The content of a JSON file of a run, unless it is too large to be one."""
    if path.stat().st_size > LARGEST_JSON:
        raise ValueError(
            f"it must have at most {LARGEST_JSON:,} bytes; received {path.stat().st_size:,}"
        )
    return json.loads(path.read_text(encoding="utf-8"))


def seal(run):
    """Write the `manifest.json` of all that is in a new run or export: size and SHA-256 of each file."""
    run = Path(run)
    files = {
        path.relative_to(run).as_posix(): path
        for path in sorted(run.rglob("*"))
        if path.is_file()
    }
    sums = {
        name: {"bytes": path.stat().st_size, "sha256": sha256(path)}
        for name, path in files.items()
    }
    with new_file(run / "manifest.json") as file:
        json.dump(sums, file, indent=2)


def verify(run, *names):
    """Raise a `ValueError` unless these files, or those in these folders, are what `seal` found; all without a name."""
    run = Path(run)
    try:
        sums = read_json(run / "manifest.json")
        names = names or tuple(sums)
        chosen = {
            f: s
            for f, s in sums.items()
            if any(f == name or f.startswith(name + "/") for name in names)
        }
        damaged = [
            name
            for name, s in chosen.items()
            if not is_as_sealed(run / name, s["bytes"], s["sha256"])
        ]
    except (
        OSError,
        ValueError,
        AttributeError,
        TypeError,
        KeyError,
        RecursionError,
    ) as error:
        raise ValueError(
            f"{str(run / 'manifest.json')!r} cannot be used: {error}"
        ) from None
    unknown = [
        name
        for name in names
        if not any(f == name or f.startswith(name + "/") for f in sums)
    ]
    if damaged or unknown:
        raise ValueError(
            f"{str(run / (damaged + unknown)[0])!r} is not the file that was written with manifest.json"
        )


def is_as_sealed(path, size, digest):
    return path.is_file() and path.stat().st_size == size and sha256(path) == digest


@contextlib.contextmanager
def locked(run):
    """Hold a run for this process; the operating system lets go of it however the process ends.

    Raises:
        ValueError: if another process holds it.
    """
    if fcntl is None:
        yield
        return
    descriptor = os.open(run, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(
                f"run {str(run)!r} is being trained by another process"
            ) from None
        yield
    finally:
        os.close(descriptor)


def write_configs(run, origin=None, **configs):
    """Write `config.json`; the keywords are `model`, `data` and `training`, and where an imported model comes from."""
    content = {kind: dataclasses.asdict(config) for kind, config in configs.items()}
    content |= {} if origin is None else {"origin": origin}
    with new_file(Path(run) / "config.json") as file:
        file.write(json.dumps(content, indent=2) + "\n")


def read_origin(run):
    """Where the checkpoint that an imported run began with comes from; None of other runs."""
    return read_json(Path(run) / "config.json").get("origin")


def read_config(run, kind):
    """The `TransformerConfig` ("model"), `DataConfig` ("data") or `TrainingConfig` ("training") of a run.

    Raises:
        ValueError: if the run has none, or it cannot be read.
    """
    path, made = (
        Path(run) / "config.json",
        "run must be a directory that `keras-transformer train` or `import` made",
    )
    if not path.is_file():
        raise ValueError(f"{made}; {str(path)!r} is missing")
    if (found := kind_of(run)) != "run":
        raise ValueError(
            f"{made}; {str(run)!r} is {'an export of one' if found else 'none'}"
        )
    verify(run, "config.json")
    try:
        return CONFIG_KINDS[kind](**read_json(path)[kind])
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"{str(path)!r} cannot be used: {error}") from None


def save_tokenizers(run, source_tokenizer, target_tokenizer):
    """Write the run's tokenizer, or both if they differ."""
    run = Path(run)
    ending = ".model" if isinstance(source_tokenizer, Tokenizer) else ""
    if source_tokenizer is target_tokenizer:
        return source_tokenizer.save(run / f"tokenizer{ending}")
    source_tokenizer.save(run / f"tokenizer.source{ending}")
    target_tokenizer.save(run / f"tokenizer.target{ending}")


def load_tokenizers(run):
    """The run's source and target tokenizer: the same object if the vocabulary is shared.

    Raises:
        ValueError: if one is missing, or is not what was written.
    """
    run = Path(run)
    both = ("tokenizer.source", "tokenizer.target")
    for ending, load in (
        (".model", Tokenizer.load),
        ("", load_folder),
    ):
        if (run / f"{both[0]}{ending}").exists():
            verify(run, *(f"{name}{ending}" for name in both))
            return tuple(load(run / f"{name}{ending}") for name in both)
    if (run / "tokenizer").exists():
        verify(run, "tokenizer")
        shared = load_folder(run / "tokenizer")
        return shared, shared
    verify(run, "tokenizer.model")
    shared = Tokenizer.load(run / "tokenizer.model")
    return shared, shared


def save_model(run, model):
    """Write `model.keras`, optimizer included."""
    with written_aside(Path(run) / "model.keras") as aside:
        model.save(aside)


def load_model(run, dtype=None):
    """The run's `Transformer`, not compiled, checked against the run's tokenizers.

    Nothing in the file is executed or made: the model is built from `config.json`, and
    its arrays are read.

    Args:
        run: the run's directory.
        dtype: Keras dtype policy of the model; the one it was trained in when absent.

    Raises:
        ValueError: if there is no model in the run, it cannot be read, it is not the
            one that `config.json` describes, or its vocabulary is not the tokenizers'.
    """
    from keras_transformer.models.transformer import Transformer
    from keras_transformer.runs.archive import check_archive, load_weights

    config = read_config(run, "model")
    path = Path(run) / "model.keras"
    if not path.is_file():
        raise ValueError(
            f"run {str(run)!r} holds no model: {path.name} is missing (was its training stopped early?)"
        )
    sizes = tuple(tokenizer.vocab_size for tokenizer in load_tokenizers(run))
    expected = (config.source_vocab_size, config.target_vocab_size)
    if sizes != expected:
        raise ValueError(
            f"the tokenizers of {str(run)!r} must have {expected} tokens as the model has; received {sizes}"
        )
    check_archive(path, config)
    model = Transformer(config, dtype=dtype or read_config(run, "training").dtype)
    load_weights(model, path)
    return model


def holds_model(run):
    """Whether the run has a `model.keras` that is whole."""
    from keras_transformer.runs.archive import check_archive

    try:
        check_archive(Path(run) / "model.keras", read_config(run, "model"))
    except ValueError:
        return False
    return True
