import json
from pathlib import Path

import pytest
from small import DATA, MODEL, contents, training

from keras_transformer.runs import run as runs


def make(run, text="{}"):
    run.mkdir(parents=True)
    (run / "config.json").write_text(text)
    (run / "manifest.json").write_text("{}")


def test_a_new_file_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / "out.txt"
    with runs.new_file(path) as file:
        file.write("one\n")
        assert not path.exists()
    assert path.read_text() == "one\n"
    with pytest.raises(KeyboardInterrupt), runs.new_file(path) as file:
        file.write("two")
        raise KeyboardInterrupt
    assert contents(tmp_path) == {path: b"one\n"}


def test_a_link_stays_and_a_device_is_written_to(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "out.txt")
    for path in (tmp_path / "link", Path("/dev/null")):
        with runs.new_file(path) as file:
            file.write("one\n")
    assert (tmp_path / "link").is_symlink() and (
        tmp_path / "out.txt"
    ).read_text() == "one\n"
    assert Path("/dev/null").is_char_device()


def test_a_new_file_needs_a_directory(tmp_path):
    for path in (tmp_path, tmp_path / "absent" / "out.txt"):
        with pytest.raises(
            ValueError, match=f"a file in an existing directory; received '{path}'"
        ):
            with runs.new_file(path):
                pass


def test_a_new_run_appears_whole_or_not_at_all(tmp_path):
    run = tmp_path / "deep" / "er" / "run"
    with pytest.raises(ValueError, match="bad input"), runs.new_directory(run) as aside:
        (aside / "data").mkdir()
        raise ValueError("bad input")
    assert not list(tmp_path.iterdir())
    with runs.new_directory(run) as aside:
        (aside / "data").mkdir()
        assert aside.name.startswith(".run.") and not run.exists()
    assert set(contents(tmp_path / "deep")) == {run.parent, run, run / "data"}


def test_overwriting_replaces_the_old_run_at_the_end(tmp_path):
    make(tmp_path / "run", '{"old": 1}')
    before = contents(tmp_path)
    with (
        pytest.raises(ValueError, match="bad input"),
        runs.new_directory(tmp_path / "run", overwrite=True),
    ):
        raise ValueError("bad input")
    assert contents(tmp_path) == before
    with runs.new_directory(tmp_path / "run", overwrite=True) as aside:
        (aside / "new").touch()
    assert set(contents(tmp_path)) == {tmp_path / "run", tmp_path / "run" / "new"}


def test_a_link_to_a_run_stays(tmp_path):
    make(tmp_path / "elsewhere")
    (tmp_path / "run").symlink_to(tmp_path / "elsewhere")
    with runs.new_directory(tmp_path / "run", overwrite=True) as aside:
        (aside / "new").touch()
    assert (tmp_path / "run").is_symlink() and (tmp_path / "elsewhere" / "new").exists()
    assert len(list(tmp_path.iterdir())) == 2


def test_what_is_not_overwritten(tmp_path):
    make(tmp_path / "run")
    with (
        pytest.raises(ValueError, match="exists already; pass --overwrite"),
        runs.new_directory(tmp_path / "run"),
    ):
        pass
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "me.png").touch()
    (tmp_path / "file").touch()
    (tmp_path / "checkpoint").mkdir()
    # Other programs' have one, too.
    (tmp_path / "checkpoint" / "config.json").write_text('{"model_type": "marian"}')
    for name in ("photos", "file", "checkpoint"):
        with pytest.raises(
            ValueError, match="is not a run directory; it is left as it is"
        ):
            with runs.new_directory(tmp_path / name, overwrite=True):
                pass
    assert (tmp_path / "photos" / "me.png").exists() and (tmp_path / "file").exists()


def test_configs_come_back(tmp_path):
    runs.write_configs(tmp_path, model=MODEL, data=DATA, training=training())
    runs.seal(tmp_path)
    assert runs.read_config(tmp_path, "model") == MODEL
    assert runs.read_config(tmp_path, "data") == DATA
    assert runs.read_config(tmp_path, "training") == training()


@pytest.mark.parametrize(
    "text",
    [
        "not json",
        "[]",
        "{}",
        json.dumps({"model": {"depth": 3}}),
        json.dumps({"model": {"num_heads": 0}}),
        "\udcff",
    ],
)
def test_unreadable_configs(tmp_path, text):
    (tmp_path / "config.json").write_text(
        text, encoding="utf-8", errors="surrogateescape"
    )
    runs.seal(tmp_path)
    with pytest.raises(ValueError, match="config.json' cannot be used: "):
        runs.read_config(tmp_path, "model")
    with pytest.raises(
        ValueError,
        match="run must be a directory that `keras-transformer train` or `import` made",
    ):
        runs.read_config(tmp_path / "absent", "model")


def test_one_process_at_a_time(tmp_path):
    make(tmp_path / "run")
    with runs.locked(tmp_path / "run"):
        for other in (
            runs.locked(tmp_path / "run"),
            runs.new_directory(tmp_path / "run", overwrite=True),
        ):
            with (
                pytest.raises(ValueError, match="is being trained by another process"),
                other,
            ):
                pass
    with runs.locked(tmp_path / "run"):
        pass


def test_what_is_sealed_is_verified(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "ids").write_text("12")
    (tmp_path / "config.json").write_text("{}")
    runs.seal(tmp_path)
    runs.verify(tmp_path, "data", "config.json")
    with pytest.raises(
        ValueError, match="absent' is not the file that was written with manifest.json"
    ):
        runs.verify(tmp_path, "absent")
    (tmp_path / "data" / "ids").write_text("13")
    runs.verify(tmp_path, "config.json")
    with pytest.raises(
        ValueError,
        match="data/ids' is not the file that was written with manifest.json",
    ):
        runs.verify(tmp_path, "data")
    for text in ("", "[]", '{"data/ids": 3}'):
        (tmp_path / "manifest.json").write_text(text)
        with pytest.raises(ValueError, match="manifest.json' cannot be used: "):
            runs.verify(tmp_path, "data")
