"""What may be fed with anything.

Each target takes bytes, and must answer or raise the one error of bad input.
"""

import contextlib
import dataclasses
import functools
import gzip
import hashlib
import io
import tempfile
from pathlib import Path

import numpy as np
from small import DATA, MODEL, training
from tokenizer_folders import mbart

from keras_transformer.cli import main as cli
from keras_transformer.cli.flags import read_toml
from keras_transformer.config import DataConfig, TrainingConfig, preset
from keras_transformer.data.pairs import read_pairs
from keras_transformer.data.store import TokenStore
from keras_transformer.models.transformer import Transformer
from keras_transformer.pretrained.tokenizers.load import load_tokenizers
from keras_transformer.runs.archive import read_model
from keras_transformer.runs.run import Run, RunConfig, read_tokenizers, save_tokenizers
from keras_transformer.runs.sealed_files import (
    load_arrays,
    read_json,
    save_arrays,
    seal,
)
from keras_transformer.text.lines import read_lines
from keras_transformer.text.tokenizer import Tokenizer

TEXT = ["a man rides a bike", "ein Mann fährt Rad", "0123456789"]


def mutated(base, data):
    """Apply most data as edits to what is right, and take some as they are.

    Five bytes are one edit: a place and a value. An odd end cuts the content short.
    """
    if data[:1] == b"\0":
        return data[1:]
    content = bytearray(base)
    for i in range(0, len(data) - 4, 5):
        content[int.from_bytes(data[i : i + 4]) % len(content)] = data[i + 4]
    return bytes(
        content[: int.from_bytes(data[-2:]) % len(content)]
        if len(data) % 5 == 1
        else content
    )


@functools.cache
def tokenizer_file():
    with tempfile.TemporaryDirectory() as folder:
        Tokenizer.train(TEXT, 40).save(Path(folder) / "tokenizer.model")
        return (Path(folder) / "tokenizer.model").read_bytes()


@functools.cache
def small_model():
    return Transformer(
        dataclasses.replace(
            MODEL, source_vocab_size=40, target_vocab_size=40, d_model=4, d_ff=4
        )
    )


@functools.cache
def archive_file():
    with tempfile.TemporaryDirectory() as folder:
        small_model().save(Path(folder) / "model.keras")
        return (Path(folder) / "model.keras").read_bytes()


@functools.cache
def arrays_file():
    with tempfile.TemporaryDirectory() as folder:
        arrays = {
            "model": [np.ones((2, 3), "float32")],
            "random": [np.arange(5, dtype="uint8")],
        }
        save_arrays(folder, "batch-00000001", arrays, {"progress": {}})
        (path,) = Path(folder).iterdir()
        return path.read_bytes()


@contextlib.contextmanager
def folder_with(**files):
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            (Path(folder) / name.replace("_", ".", 1)).write_bytes(content)
        yield Path(folder)


def lines(data):
    with folder_with(
        plain_txt=data, real_gz=gzip.compress(data), false_gz=data
    ) as folder:
        with contextlib.suppress(ValueError):
            assert list(read_lines(folder / "plain.txt")) == list(
                read_lines(folder / "real.gz")
            )
        list(read_lines(folder / "false.gz"))


def pairs(data):
    source, _, target = data.partition(b"\xff")
    with folder_with(a_en=source, a_de=target, a_tsv=data) as folder:
        with contextlib.suppress(ValueError):
            tokenizer = Tokenizer(tokenizer_file())
            TokenStore.build(
                folder / "store",
                read_pairs(folder / "a.en", folder / "a.de"),
                tokenizer,
            )
        list(read_pairs(folder / "a.tsv"))


def tokenizer(data):
    found = Tokenizer(mutated(tokenizer_file(), data))
    ids = found.encode([*TEXT, "", "</s> ½ \0", data.decode("utf-8", "replace")])
    assert all(0 <= i < found.vocab_size for row in ids for i in row)
    found.decode(ids)


@functools.cache
def foreign_files():
    with tempfile.TemporaryDirectory() as folder:
        made = mbart(Path(folder), "MBart50Tokenizer")
        tokenizers = load_tokenizers(
            made, read_json(made / "config.json"), "en_XX", "de_DE"
        )
        save_tokenizers(made, *tokenizers)
        return {
            path.relative_to(made).as_posix(): path.read_bytes()
            for path in made.rglob("*")
            if path.is_file()
        }


def foreign(data):
    """Somebody else's tokenizer: the files, or what a run keeps of them."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "tokenizer").mkdir()
        names = sorted(foreign_files())
        damaged = names[data[0] % len(names) if data else 0]
        for name, content in foreign_files().items():
            (Path(folder) / name).write_bytes(
                mutated(content, data[1:]) if name == damaged else content
            )
        config = read_json(Path(folder) / "config.json")
        if damaged.startswith("tokenizer/"):
            found, _ = read_tokenizers(folder)
        else:
            found, _ = load_tokenizers(folder, config, "en_XX", "de_DE")
        ids = found.encode([*TEXT, "", "</s> ½ \0", data.decode("utf-8", "replace")])
        assert all(0 <= i < found.vocab_size for row in ids for i in row)
        found.decode(ids)


def store(data):
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "store"
        TokenStore.build(
            made,
            zip(TEXT, TEXT),
            Tokenizer(tokenizer_file()),
            config=DataConfig(max_length=64),
        )
        files = sorted(made.iterdir())
        path = files[data[0] % len(files)] if data else files[0]
        path.write_bytes(mutated(path.read_bytes(), data[1:]))
        opened = TokenStore.open(made)
        opened.padded(np.arange(len(opened)), int(opened.lengths.max()))


def toml(data):
    with folder_with(a_toml=data) as folder:
        settings = read_toml(str(folder / "a.toml"))
        preset(settings.get("preset", "tiny"), **settings.get("model", {}))
        DataConfig(**settings.get("data", {}))
        TrainingConfig(**settings.get("training", {}))


def run(data):
    """config.json or manifest.json of a run, as somebody else may have written it."""
    with tempfile.TemporaryDirectory() as folder:
        tokenizer = Tokenizer(tokenizer_file())
        Run.begin(
            Path(folder), RunConfig(MODEL, DATA, training()), (tokenizer, tokenizer)
        )
        path = Path(folder) / ("manifest.json" if data[:1] == b"m" else "config.json")
        if path.name == "config.json":
            path.write_bytes(mutated(path.read_bytes(), data[1:]))
        seal(folder)
        if path.name == "manifest.json":
            path.write_bytes(mutated(path.read_bytes(), data[1:]))
        run = Run.open(folder)
        assert run.tokenizers and run.config.model


def archive(data):
    with folder_with(model_keras=mutated(archive_file(), data)) as folder:
        read_model(folder / "model.keras", small_model().config, "float32")


def checkpoint(data):
    content = mutated(arrays_file(), data)
    name = f"batch-00000001.{hashlib.sha256(content).hexdigest()[:16]}.safetensors"
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / name).write_bytes(content)
        load_arrays(Path(folder) / name)


WORDS = [
    "train", "translate", "evaluate", "run", "--source", "--target", "--preset", "tiny",
    "--config", "--resume", "--overwrite", "--input", "--output", "--beam", "4", "-1",
    "0", "nan", "1e999", "--epochs", "--json", "--n-best", "--help", "--init-from",
    "--seed", "--dtype", "mixed_bfloat16", "--", "-", "", "a.en", "--num-heads",
    "--max-minutes",
]  # fmt: skip


def command(data):
    """A command line of likely and of unlikely words, in a folder without any file."""
    words = []
    for part in filter(None, data.split(b"\n")):
        if len(part) == 1:
            words.append(WORDS[part[0] % len(WORDS)])
        else:
            words.append(part.decode("utf-8", "replace"))
    if "\0" in "".join(words) or "demo" in words:  # which trains
        return
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        errors = io.StringIO()
        with (
            contextlib.redirect_stderr(errors),
            contextlib.redirect_stdout(io.StringIO()),
        ):
            try:
                status = cli.main(words)
            except SystemExit as leaving:  # --help
                status = leaving.code
        assert status in (0, 2) and (
            status == 0 or len(errors.getvalue().splitlines()) == 1
        ), errors.getvalue()
        assert "Error:" not in errors.getvalue(), errors.getvalue()


TARGETS = {function.__name__: function for function in (
    lines, pairs, tokenizer, foreign, store, toml, run, archive, checkpoint, command
)}  # fmt: skip


def feed(name, data):
    """Bad input may raise `ValueError` and nothing else."""
    with contextlib.suppress(ValueError):
        TARGETS[name](data)
