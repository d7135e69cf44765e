import errno
import gzip
import os
from pathlib import Path

import numpy as np
import pytest
from small import contents

from keras_transformer.pretrained.tokenizers.files import read_large_json
from keras_transformer.runs import sealed_files as files
from keras_transformer.text.tokenizer import Tokenizer


def make(run, text="{}"):
    run.mkdir(parents=True)
    (run / "config.json").write_text(text)
    (run / "manifest.json").write_text("{}")


def test_arrays_come_back_or_are_refused(tmp_path):
    arrays = {
        "b": [np.zeros(1), np.arange(6, dtype="uint32").reshape(2, 3)],
        "a": [np.array(0.5, "float32")],
    }
    files.save_arrays(tmp_path, "batch-1", {"a": [np.zeros(2)]}, {})
    files.save_arrays(tmp_path, "batch-1", arrays, {"epoch": 3})
    (path,) = tmp_path.iterdir()  # one of a stem
    found, metadata = files.load_arrays(path)
    assert list(found) == ["a", "b"] and metadata == {"epoch": 3}
    for name, group in arrays.items():
        for one, other in zip(found[name], group, strict=True):
            np.testing.assert_array_equal(one, other)
            assert one.dtype == other.dtype
    assert files.is_whole(path)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert not files.is_whole(path)
    with pytest.raises(
        ValueError,
        match=f"{path.name} cannot be used: its content is not what was written",
    ):
        files.load_arrays(path)


def test_arrays_that_cannot_be_written_leave_nothing(tmp_path):
    with pytest.raises(OSError, match="absent"):
        files.save_arrays(tmp_path / "absent", "batch-1", {"a": [np.zeros(2)]}, {})
    assert not list(tmp_path.iterdir())


def test_a_new_file_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / "out.txt"
    with files.new_file(path) as file:
        file.write("one\n")
        assert not path.exists()
    assert path.read_text() == "one\n"
    with pytest.raises(KeyboardInterrupt), files.new_file(path) as file:
        file.write("two")
        raise KeyboardInterrupt
    assert contents(tmp_path) == {path: b"one\n"}


def test_a_gz_file_is_packed_and_depends_on_its_text_alone(tmp_path):
    for name in ("one.gz", "two.gz"):
        with files.new_file(tmp_path / name) as file:
            file.write("ein\nzwölf\n")
    one, two = (tmp_path / name for name in ("one.gz", "two.gz"))
    assert gzip.open(one).read() == "ein\nzwölf\n".encode()
    assert one.read_bytes() == two.read_bytes()


def test_a_link_stays_and_a_device_is_written_to(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "out.txt")
    for path in (tmp_path / "link", Path("/dev/null")):
        with files.new_file(path) as file:
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
            with files.new_file(path):
                pass


def test_a_new_run_appears_whole_or_not_at_all(tmp_path):
    run = tmp_path / "deep" / "er" / "run"
    with (
        pytest.raises(ValueError, match="bad input"),
        files.new_directory(run) as aside,
    ):
        (aside / "data").mkdir()
        raise ValueError("bad input")
    assert not list(tmp_path.iterdir())
    with files.new_directory(run) as aside:
        (aside / "data").mkdir()
        assert aside.is_relative_to(run.parent) and not run.exists()
    assert set(contents(tmp_path / "deep")) == {run.parent, run, run / "data"}


def test_overwriting_replaces_the_old_run_at_the_end(tmp_path):
    make(tmp_path / "run", '{"old": 1}')
    before = contents(tmp_path)
    with (
        pytest.raises(ValueError, match="bad input"),
        files.new_directory(tmp_path / "run", overwrite=True),
    ):
        raise ValueError("bad input")
    assert contents(tmp_path) == before
    with files.new_directory(tmp_path / "run", overwrite=True) as aside:
        (aside / "new").touch()
    assert set(contents(tmp_path)) == {tmp_path / "run", tmp_path / "run" / "new"}


def test_a_link_to_a_run_stays(tmp_path):
    make(tmp_path / "elsewhere")
    (tmp_path / "run").symlink_to(tmp_path / "elsewhere")
    with files.new_directory(tmp_path / "run", overwrite=True) as aside:
        (aside / "new").touch()
    assert (tmp_path / "run").is_symlink() and (tmp_path / "elsewhere" / "new").exists()
    assert len(list(tmp_path.iterdir())) == 2


def test_what_is_not_overwritten(tmp_path):
    make(tmp_path / "run")
    with (
        pytest.raises(ValueError, match="exists already; pass --overwrite"),
        files.new_directory(tmp_path / "run"),
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
            ValueError, match="is no run directory; it is left as it is"
        ):
            with files.new_directory(tmp_path / name, overwrite=True):
                pass
    assert (tmp_path / "photos" / "me.png").exists() and (tmp_path / "file").exists()


def test_one_process_at_a_time(tmp_path):
    make(tmp_path / "run")
    with files.locked(tmp_path / "run"):
        for other in (
            files.locked(tmp_path / "run"),
            files.new_directory(tmp_path / "run", overwrite=True),
        ):
            with (
                pytest.raises(
                    ValueError, match="is being trained or replaced by another process"
                ),
                other,
            ):
                pass
    with files.locked(tmp_path / "run"):
        pass


def test_without_locks_a_run_is_held_with_a_warning(tmp_path, monkeypatch):
    def flock(*given):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    make(tmp_path / "run")
    monkeypatch.setattr("fcntl.flock", flock)
    said = "run' cannot be locked .*: nothing keeps a second process from training"
    with pytest.warns(UserWarning, match=said), files.locked(tmp_path / "run"):
        pass


def test_a_folder_that_may_not_be_read_is_no_run(tmp_path, monkeypatch):
    for name in ("first", "theirs"):
        make(tmp_path / name)
    own_stat = os.stat

    def stat(path, **options):
        if "theirs/" in str(path):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return own_stat(path, **options)

    monkeypatch.setattr(os, "stat", stat)
    assert files.similar(tmp_path / "frist", "run").endswith("/first'?")
    assert files.similar(tmp_path / "absent" / "run", "run") == ""


def test_what_is_sealed_is_verified(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "ids").write_text("12")
    (tmp_path / "config.json").write_text("{}")
    files.seal(tmp_path)
    files.Manifest(tmp_path).verify("data", "config.json")
    with pytest.raises(
        ValueError, match="absent' is not the file .*: it is missing or cannot"
    ):
        files.Manifest(tmp_path).verify("absent")
    (tmp_path / "data" / "ids").write_text("13")
    files.Manifest(tmp_path).verify("config.json")
    with pytest.raises(
        ValueError,
        match="data/ids' is not the file that was written with manifest.json",
    ):
        files.Manifest(tmp_path).verify("data")
    (tmp_path / "manifest.json").write_text('{"data/ids": 3}')
    with pytest.raises(ValueError, match="data/ids' is not the file"):
        files.Manifest(tmp_path).verify("data")
    for text in ("", "[]"):
        (tmp_path / "manifest.json").write_text(text)
        with pytest.raises(ValueError, match="manifest.json' cannot be used: "):
            files.Manifest(tmp_path).verify("data")


def test_a_pipe_in_place_of_a_file_keeps_nobody_waiting(tmp_path):
    for name in ("config.json", "tokenizer.model"):
        (tmp_path / name).write_text("{}")
    files.seal(tmp_path)
    for name in ("config.json", "tokenizer.model"):
        (tmp_path / name).unlink()
        os.mkfifo(tmp_path / name)
    message = "must be a regular file, no pipe or device; received 'prw"
    for read in (files.read_json, files.load_arrays, Tokenizer.load, read_large_json):
        with pytest.raises(ValueError, match=message):
            read(tmp_path / "config.json")
    with pytest.raises(ValueError, match="/tokenizer.model' is "):
        files.Manifest(tmp_path).verify("tokenizer.model")
