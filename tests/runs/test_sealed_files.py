import os

import numpy as np
import pytest

from keras_transformer.runs import sealed_files as files

GONE = 99_999_999  # no process has this number


def test_a_directory_takes_the_place_of_another_at_the_end(tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    (run / "old").touch()
    with files.written_aside(run) as aside:
        aside.mkdir()
        (aside / "new").touch()
        assert [path.name for path in run.iterdir()] == ["old"]
    assert [path.name for path in run.iterdir()] == ["new"]
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_what_killed_processes_left_goes_away(tmp_path):
    alive = os.getppid()
    for name in (
        f".run.{GONE}.partial",
        f".model.{GONE}.partial.keras",
        f".run.{alive}.partial",
        ".hidden.file",
    ):
        (tmp_path / name).touch()
    (tmp_path / f".folder.{GONE}.partial").mkdir()
    (tmp_path / f".folder.{GONE}.partial" / "file").touch()
    files.remove_partial(tmp_path, "run")
    assert (
        not (tmp_path / f".run.{GONE}.partial").exists()
        and (tmp_path / f".model.{GONE}.partial.keras").exists()
    )
    files.remove_partial(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        f".run.{alive}.partial",
        ".hidden.file",
    }


@pytest.mark.parametrize("taken", [False, True])
def test_a_directory_that_was_about_to_be_replaced_comes_back(tmp_path, taken):
    old = tmp_path / f".a[1].{GONE}.replaced"
    old.mkdir()
    (old / "model").touch()
    if taken:  # killed after the new one was in place
        (tmp_path / "a[1]").mkdir()
    files.remove_partial(tmp_path, "a[1]")
    assert [path.name for path in tmp_path.iterdir()] == ["a[1]"]
    assert (tmp_path / "a[1]" / "model").exists() != taken


def test_arrays_come_back_or_are_refused(tmp_path):
    arrays = {
        "b/00001": np.arange(6, dtype="uint32").reshape(2, 3),
        "a/00000": np.array(0.5, "float32"),
    }
    first = files.save_arrays(tmp_path, "batch-1", {"a": np.zeros(2)}, {})
    path = files.save_arrays(tmp_path, "batch-1", arrays, {"epoch": 3})
    # One of a stem.
    assert [found.name for found in tmp_path.iterdir()] == [path.name] and path != first
    found, metadata = files.load_arrays(path)
    assert list(found) == ["a/00000", "b/00001"] and metadata == {"epoch": 3}
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
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
        files.save_arrays(tmp_path / "absent", "batch-1", {"a": np.zeros(2)}, {})
    assert not list(tmp_path.iterdir())
