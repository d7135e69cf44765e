"""Where `train` takes its settings from."""

import pytest

from keras_transformer.cli import train
from keras_transformer.cli.parser import parse
from keras_transformer.config import preset
from keras_transformer.runs.run import Run
from keras_transformer.training.fitted import fitted_settings


def test_flags_come_before_the_file_before_the_preset(run):
    found = Run.open(run).config
    model, data, training = found.model, found.data, found.training
    assert (model.d_model, model.num_heads, model.dropout) == (16, 2, 0.25)
    assert (data.max_ratio, data.vocab_size) == (3, 200)
    assert (training.max_updates, training.seed) == (2, 5)
    assert (training.epochs, training.warmup_updates) == (200, 1)  # fitted
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
    assert found["model"] == Run.open(run).config.model and found["pairs"] is None
    assert found["data"] == Run.open(run).config.data
    assert (found["training"].seed, found["training"].epochs) == (5, 40)


def test_a_run_that_begins_with_another_is_tuned(run, corpus, trained, tmp_path):
    files = ("--source", corpus[0], "--target", corpus[1])
    found = trained(tmp_path / "new", "--init-from", run, *files)
    assert found["model"] == Run.open(run).config.model
    assert found["data"] == Run.open(run).config.data
    assert found["training"].epochs == 10 and found["training"].warmup_updates < 50
    small = trained(tmp_path / "new", "--init-from", run, "--preset", "small", *files)
    assert small["model"] == preset("small")


def test_what_is_not_given_is_fitted_and_said(corpus, trained, tmp_path, capsys):
    files = ("--source", corpus[0], "--target", corpus[1], "--dropout", 0.15)
    found = trained(tmp_path / "new", "--resume", *files)
    fitted = fitted_settings(*corpus[:2], dropout=0.15)
    configs = (fitted.model, fitted.data, fitted.training)
    assert (found["model"], found["data"], found["training"]) == configs
    assert str(fitted) in capsys.readouterr().out
    assert "--dropout 0.15" in fitted.flags
    again = trained(tmp_path / "new", *files[:4], *fitted.flags.split())
    assert (again["model"], again["data"], again["training"]) == configs
    with pytest.raises(ValueError, match="--source is needed"):
        trained(tmp_path / "new", "--init-from", tmp_path)
