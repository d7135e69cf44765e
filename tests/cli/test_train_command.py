"""Where `train` takes its settings from."""

import pytest

from keras_transformer.cli import train
from keras_transformer.cli.parser import parse
from keras_transformer.config import DataConfig, TrainingConfig, preset
from keras_transformer.runs.run import Run


def test_flags_come_before_the_file_before_the_preset(run):
    found = Run.open(run).config
    model, data, training = found.model, found.data, found.training
    assert (model.d_model, model.num_heads, model.dropout) == (16, 2, 0.25)
    assert (data.max_ratio, data.vocab_size) == (3, 200)
    assert (training.max_updates, training.seed) == (2, 5)
    assert training.epochs == TrainingConfig().epochs
    assert len((run / "log.jsonl").read_text().splitlines()) == 1


@pytest.fixture
def trained(monkeypatch):
    """What a command hands to `train`, which does nothing."""

    def call(*arguments):
        found = {}
        monkeypatch.setattr(
            "keras_transformer.training.train.train",
            lambda run, **options: found.update(options),
        )
        train.run(parse(["train", *map(str, arguments)]))
        return found

    return call


def test_a_run_that_goes_on_keeps_its_settings(run, trained):
    found = trained(run, "--resume", "--epochs", 40)
    assert found["model"] == Run.open(run).config.model and found["source"] is None
    assert found["data"] == Run.open(run).config.data
    assert (found["training"].seed, found["training"].epochs) == (5, 40)


def test_a_run_that_begins_with_another_trains_by_default(run, trained, tmp_path):
    found = trained(tmp_path / "new", "--init-from", run, "--source", "a.tsv")
    assert found["model"] == Run.open(run).config.model
    assert found["data"] == Run.open(run).config.data
    assert found["training"] == TrainingConfig() and found["source"] == "a.tsv"
    found = trained(tmp_path / "new", "--resume", "--source", "a.tsv")
    assert found["model"] == preset("tiny") and found["data"] == DataConfig()
    small = trained(tmp_path / "new", "--init-from", run, "--preset", "small")
    assert small["model"] == preset("small")
