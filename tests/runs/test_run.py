import builtins
import dataclasses
import json
import pathlib
import re
import subprocess
import sys

import keras
import numpy as np
import pytest
from small import DATA, MODEL, log, training

from keras_transformer.config import DecodingConfig
from keras_transformer.models.transformer import Transformer
from keras_transformer.runs.run import Run, RunConfig
from keras_transformer.runs.sealed_files import seal
from keras_transformer.text.tokenizer import Tokenizer
from keras_transformer.training.recipe import compile_for_training

CONFIG = RunConfig(MODEL, DATA, training(), origin={"source": "elsewhere"})
TEXTS = ["a man rides a bike", "ein Mann fährt Rad"]


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.train(TEXTS, 40)


@pytest.fixture
def begun(tmp_path, tokenizer):
    """A run of a model that was never trained."""
    sizes = dict(source_vocab_size=40, target_vocab_size=40)
    config = dataclasses.replace(CONFIG, model=dataclasses.replace(MODEL, **sizes))
    (tmp_path / "run").mkdir()
    return Run.begin(tmp_path / "run", config, (tokenizer, tokenizer))


def test_a_run_comes_back(begun):
    opened = Run.open(begun.path)
    assert opened.path == begun.path and opened.config == begun.config
    source, target = opened.tokenizers
    assert source is target and source.encode(TEXTS) == begun.tokenizers[0].encode(
        TEXTS
    )
    assert opened.log == []
    with pytest.raises(dataclasses.FrozenInstanceError):
        opened.config.model = None


def test_two_tokenizers_come_back(tmp_path, tokenizer):
    other = Tokenizer.train(["01 23 45"], 20)
    Run.begin(tmp_path, CONFIG, (tokenizer, other))
    source, target = Run.open(tmp_path).tokenizers
    assert (source.vocab_size, target.vocab_size) == (40, 20)


def test_each_file_is_read_once(begun, monkeypatch):
    """By `Translator.load` as well, which opens a run."""
    begun.save_model(Transformer(begun.config.model))
    opened = []
    made = []

    def noted(whole):
        def note(path, *rest, **options):
            opened.append(getattr(path, "name", path))
            return whole(path, *rest, **options)

        return note

    monkeypatch.setattr(builtins, "open", noted(open))
    monkeypatch.setattr(pathlib.Path, "read_bytes", noted(pathlib.Path.read_bytes))
    whole = Tokenizer.__init__

    def count(self, *rest):
        made.append(self)
        whole(self, *rest)

    monkeypatch.setattr(Tokenizer, "__init__", count)
    run = Run.open(begun.path)
    found = run.translator(DecodingConfig(search="greedy"))
    assert found.source_tokenizer is run.tokenizers[0] is found.target_tokenizer
    assert opened.count("config.json") == opened.count("manifest.json") == 1
    assert len(made) == 1


def test_the_log_as_rows(trained, tmp_path):
    assert Run.open(trained).log == log(trained)
    assert [row["epoch"] for row in Run.open(trained).log] == [1, 2]
    assert all(row["val_nats"] > 0 for row in Run.open(trained).log)


def test_a_log_says_what_is_missing(begun):
    path = begun.path / "log.jsonl"
    rows = ['{"epoch": 1}', '{"epoch": 2, "na', '{"epoch": 3}']
    said = re.escape(f"'{path}' is damaged: of 3 lines, those of epochs [1, 3] can be")
    path.write_text("\n".join(rows))
    with pytest.warns(UserWarning, match=said):
        assert begun.log == [{"epoch": 1}, {"epoch": 3}]
    path.write_text("\n".join(rows[::2]))
    with pytest.warns(UserWarning, match=r"of 2 lines, those of epochs \[1, 3\]"):
        assert len(begun.log) == 2


def test_a_run_whose_replacement_was_killed_comes_back(begun, tmp_path):
    left = tmp_path / ".keras-transformer-12345678.partial" / "old"
    left.mkdir(parents=True)
    begun.path.rename(left / "run")
    assert Run.open(begun.path).config == begun.config
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_another_run_of_its_name_is_noticed(begun, tokenizer):
    begun.check_place()
    begun.path.rename(begun.path.with_name("moved"))
    with pytest.raises(ValueError, match="manifest.json' cannot be used: .*No such"):
        begun.check_place()
    begun.path.mkdir()
    Run.begin(begun.path, CONFIG, (tokenizer, tokenizer))
    with pytest.raises(ValueError, match="run '.*' is another one by now"):
        begun.check_place()


def test_the_model_is_saved_without_its_optimizer(begun, tmp_path):
    model = Transformer(begun.config.model)
    model.save(tmp_path / "plain.keras")
    begun.save_model(compile_for_training(model, begun.config.training))
    size = (begun.path / "model.keras").stat().st_size
    assert abs(size - (tmp_path / "plain.keras").stat().st_size) < 200
    for one, other in zip(model.weights, begun.model().weights, strict=True):
        np.testing.assert_array_equal(*map(keras.ops.convert_to_numpy, (one, other)))
    assert model.compiled and not begun.model().compiled


PLAIN = """
import sys
import keras, keras_transformer
model = keras.models.load_model(sys.argv[1])
assert type(model).__name__ == "Transformer" and not model.compiled
print(model.count_params())
"""


def test_plain_keras_opens_the_model_of_a_run(trained):
    done = subprocess.run(
        [sys.executable, "-c", PLAIN, trained / "model.keras"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == Run.open(trained).model().count_params()


def write_config(folder, content):
    (folder / "config.json").write_text(
        content, encoding="utf-8", errors="surrogateescape"
    )
    seal(folder)


@pytest.mark.parametrize(
    "text",
    [
        "not json",
        "[]",
        json.dumps({"format": 2}),
        json.dumps({"format": 2, "model": {"depth": 3}}),
        json.dumps({"format": 2, "model": {"num_heads": 0}}),
        "\udcff",
    ],
)
def test_unreadable_configs(tmp_path, text):
    write_config(tmp_path, text)
    with pytest.raises(ValueError, match="config.json' cannot be used: "):
        Run.open(tmp_path)


# As `train` wrote it before there was a format.
OLD = """{
  "model": {"source_vocab_size": 40, "target_vocab_size": 40, "hidden_size": 16},
  "data": {"vocab_size": 40},
  "training": {"epochs": 2}
}"""


@pytest.mark.parametrize(
    "text, found",
    [
        (OLD, "none, as of an older version"),
        ('{"format": 1}', "1"),
        ('{"format": 3}', "3"),
    ],
)
def test_a_run_of_another_format(tmp_path, text, found):
    write_config(tmp_path, text)
    with pytest.raises(
        ValueError,
        match=f"run '.*' must be of format 2; received {found}. Train it again, or use",
    ):
        Run.open(tmp_path)


def test_what_is_no_run(tmp_path):
    made = "run must be a directory that `keras-transformer train` or `import` made; "
    with pytest.raises(ValueError, match="^no run at '.*absent'$"):
        Run.open(tmp_path / "absent")
    (tmp_path / "config.json").write_text('{"model_type": "marian"}')
    with pytest.raises(ValueError, match=f"{made}'.*manifest.json' is missing"):
        Run.open(tmp_path)
    write_config(tmp_path, '{"made_with": {}}')
    with pytest.raises(ValueError, match=f"{made}'.*' is an export of one"):
        Run.open(tmp_path)


def test_a_model_that_is_not_there_or_not_whole(begun):
    with pytest.raises(ValueError, match="holds no model: model.keras is missing"):
        begun.model()
    begun.save_model(Transformer(begun.config.model))
    assert begun.model().count_params() == begun.config.model.parameters
    other = Tokenizer.train(TEXTS, 45)
    begun.tokenizers = (other, other)
    with pytest.raises(ValueError, match="the model's 40 tokens; received 45"):
        begun.translator()


def test_what_changed_is_not_used(begun):
    opened = Run.open(begun.path)
    path = begun.path / "tokenizer.model"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(
        ValueError,
        match="tokenizer.model' is not the file that was written with manifest.json",
    ):
        _ = opened.tokenizers


def test_a_search_cuts_nothing_as_long_as_the_training(begun):
    assert begun.search() == DecodingConfig()
    data = dataclasses.replace(DATA, max_length=1000)
    longer = Run(begun.path, dataclasses.replace(begun.config, data=data))
    assert longer.search().longest_source == 1000
    chosen = DecodingConfig(max_source_length=9)
    assert longer.search(chosen) == chosen
