"""Where `train` takes its settings from."""

import pytest
from small import FLAGS

from keras_transformer.cli import train
from keras_transformer.cli.parser import parse
from keras_transformer.config import resized
from keras_transformer.runs.run import Run
from keras_transformer.training.fitted import fitted_settings


def test_flags_come_before_the_file_before_the_preset(run):
    found = Run.open(run).config
    model = found.model
    data = found.data
    training = found.training
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


def test_files_beside_a_run_that_goes_on_are_said_not_to_be_read(run, trained, capsys):
    trained(run, "--resume", "--source", "a.en", "--target", "a.de")
    said = f"{run} goes on with what it was begun with; not read: --source, --target"
    assert said in capsys.readouterr().out
    trained(run, "--resume")
    assert "not read" not in capsys.readouterr().out


def test_a_run_that_begins_with_another_is_tuned(run, corpus, trained, tmp_path):
    files = ("--source", corpus[0], "--target", corpus[1])
    found = trained(tmp_path / "new", "--init-from", run, *files)
    assert found["model"] == Run.open(run).config.model
    assert found["data"] == Run.open(run).config.data
    assert found["training"].epochs == 10 and found["training"].warmup_updates < 50
    small = trained(tmp_path / "new", "--init-from", run, "--preset", "small", *files)
    assert small["model"] == resized(Run.open(run).config.model, "small")


def test_the_command_that_began_a_run_goes_on_with_it(run, trained):
    own = Run.open(run).config
    found = trained(run, "--resume", "--config", run.parent / "run.toml", *FLAGS)
    assert own.model.norm_first and found["model"] == own.model
    assert found["data"] == own.data


def test_a_run_that_exists_is_refused_before_its_pairs_are_read(run, corpus, trained):
    for files in (
        ("--source", corpus[0], "--target", corpus[1]),
        ("--text", corpus[0]),
    ):
        with pytest.raises(ValueError, match="exists already; pass --overwrite"):
            trained(run, *files)


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


def test_files_are_mixed_by_flags_or_by_a_settings_file(corpus, trained, tmp_path):
    source, target, *valid = map(str, corpus)
    held_out = ("--valid-source", valid[0], "--valid-target", valid[1])
    files = ("--source", source, valid[0], "--target", target, valid[1])
    mixing = ("--weights", 0.5, 2, "--tags", "", "<BT>", "--seed", 7)
    by_flags = trained(tmp_path / "new", *files, *held_out, *mixing)["pairs"]
    text = (
        f'source = ["{source}", "{valid[0]}"]\ntarget = ["{target}", "{valid[1]}"]\n'
        'weights = [0.5, 2]\ntags = ["", "<BT>"]\n[training]\nseed = 7\n'
    )
    (tmp_path / "mix.toml").write_text(text)
    config = ("--config", tmp_path / "mix.toml")
    by_file = trained(tmp_path / "new", *config, *held_out)["pairs"]
    assert list(by_flags) == list(by_file)
    natural = [source for source, _ in by_flags if not source.startswith("<BT> ")]
    assert len(by_flags) == len(natural) + 16 and 70 < len(natural) < 130
    plain = trained(tmp_path / "new", *files, *held_out)["pairs"]
    assert len(plain) == 208 and not plain.is_mixture


def test_mixtures_that_cannot_be(corpus, trained, tmp_path):
    source, target, *valid = map(str, corpus)
    files = ("--source", source, valid[0], "--target", target, valid[1])
    held_out = ("--valid-source", valid[0], "--valid-target", valid[1])
    new = tmp_path / "new"
    with pytest.raises(ValueError, match="weights must be as many as the corpora, 2"):
        trained(new, *files, *held_out, "--weights", 1)
    with pytest.raises(ValueError, match="--text must stand without files of pairs"):
        trained(new, "--text", source, "--tags", "<BT>")
    (tmp_path / "mix.toml").write_text('weights = ["1"]\n')
    with pytest.raises(ValueError, match="weights must be a list of numbers"):
        trained(new, "--config", tmp_path / "mix.toml")
