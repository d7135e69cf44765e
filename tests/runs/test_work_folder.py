"""Kills at each step, links and names that are too long: nothing is lost or left."""

import errno
import itertools
import os
import random
import signal
import stat
import sys
import time

import numpy as np
import pytest
from small import contents

from keras_transformer.runs import work_folder
from keras_transformer.runs.sealed_files import (
    new_directory,
    new_file,
    save_arrays,
    seal,
    written_aside,
)

STEPS = ("fcntl.", "open", "os.", "shutil.", "tempfile.")


def fork(task, *arguments):
    """Begin a process that does a task."""
    child = os.fork()
    if child == 0:
        try:
            task(*arguments)
            os._exit(0)
        except BaseException:
            os._exit(3)
    return child


def ended(child):
    """The status with which a process ends."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def killed_at(step, task, *arguments):
    """Do a task, killed just before its so-many-th step on the file system."""
    left = [step]

    def count(event, details):
        if event.startswith(STEPS):
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def counted():
        sys.addaudithook(count)
        task(*arguments)

    return ended(fork(counted))


def statuses(task, *arguments):
    """The task killed at its first step, at its second, and so on until it ends."""
    step = 1
    while True:
        status = killed_at(step, task, *arguments)
        yield status
        if status == 0:
            return
        assert status == -signal.SIGKILL
        step += 1


def make_run(path, text, overwrite=False):
    with new_directory(path, overwrite) as aside:
        (aside / "config.json").write_text(text)
        seal(aside)


def text_of(run):
    assert sorted(path.name for path in run.iterdir()) == [
        "config.json",
        "manifest.json",
    ]
    return (run / "config.json").read_text()


def test_a_new_directory_killed_at_each_step(tmp_path):
    run = tmp_path / "run"
    found = []
    for status in statuses(make_run, run, "{}"):
        found.append(run.exists())
        assert not run.exists() or text_of(run) == "{}"
        assert status or run.exists()
        if run.exists():
            with pytest.raises(ValueError, match="exists already"):
                make_run(run, "{}")
        else:
            make_run(run, "{}")
        assert [path.name for path in tmp_path.iterdir()] == ["run"]
        for path in (run / "config.json", run / "manifest.json"):
            path.unlink()
        run.rmdir()
    assert len(found) > 15 and found.count(True) > 1


def test_a_directory_that_is_replaced_killed_at_each_step(tmp_path):
    """The old one or the new one is there at the next start, and nothing else."""
    run = tmp_path / "run"
    make_run(run, "[1]")
    found = []
    for _ in statuses(make_run, run, "[2]", True):
        work_folder.remove_partial(tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == ["run"]
        found.append(text_of(run))
        make_run(run, "[1]", overwrite=True)
    assert found == sorted(found) and set(found) == {"[1]", "[2]"}


def write_file(path):
    with new_file(path) as file:
        file.write("new")


def test_a_file_killed_at_each_step(tmp_path):
    path = tmp_path / "out.txt"
    path.write_text("old")
    found = []
    for _ in statuses(write_file, path):
        found.append(path.read_text())
        work_folder.remove_partial(tmp_path)
        assert contents(tmp_path) == {path: found[-1].encode()}
        path.write_text("old")
    assert found == sorted(found, reverse=True) and set(found) == {"old", "new"}


def test_arrays_killed_at_each_step(tmp_path):
    """Those of before are there until those of now are."""
    save_arrays(tmp_path, "batch-1", {"a": [np.zeros(1)]}, {})
    (old,) = tmp_path.iterdir()
    groups = {"a": [np.ones(1)]}
    found = []
    for _ in statuses(save_arrays, tmp_path, "batch-1", groups, {}):
        work_folder.remove_partial(tmp_path)
        found.append(len(list(tmp_path.glob("batch-1.*"))))
        assert found[-1] == len(list(tmp_path.iterdir())) > 0
        assert old.exists() or found[-1] == 1
        save_arrays(tmp_path, "batch-1", {"a": [np.zeros(1)]}, {})
    assert set(found) == {1, 2}


def test_who_is_alive_keeps_its_work(tmp_path):
    run = tmp_path / "run"
    with new_directory(run) as aside:
        seal(aside)
        assert ended(fork(work_folder.remove_partial, tmp_path)) == 0
        with written_aside(tmp_path / "other") as other:
            other.touch()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other", "run"]


def wait_and_make(path, text, overwrite, seconds):
    time.sleep(seconds)
    make_run(path, text, overwrite)


def test_twenty_pairs_at_once(tmp_path):
    """Each with and without a run that is there, and with and without --overwrite."""
    draw = random.Random(0)
    choices = [*itertools.product((False, True), repeat=3)]
    for number in range(20):
        is_there, *overwrite = choices[number % len(choices)]
        run = tmp_path / str(number)
        if is_there:
            make_run(run, "old")
        children = {}
        for text in ("0", "1"):
            delay = draw.uniform(0, 0.004)
            how = (run, text, overwrite[int(text)], delay)
            children[text] = fork(wait_and_make, *how)
        won = [text for text, child in children.items() if ended(child) == 0]
        assert text_of(run) in (won or ["old"])
        if not any(overwrite):
            assert len(won) == (not is_there)
        assert won or is_there
    assert len(list(tmp_path.iterdir())) == 20


def test_what_another_made_meanwhile_stays(tmp_path):
    for overwrite in (False, True):
        run = tmp_path / str(overwrite)
        with pytest.raises(ValueError, match=f"run '{run}' exists already; pass"):
            with new_directory(run, overwrite) as aside:
                seal(aside)
                assert ended(fork(make_run, run, "{}")) == 0
        assert text_of(run) == "{}"
    with pytest.raises(FileExistsError, match="it exists already: '.*store'"):
        with written_aside(tmp_path / "store") as aside:
            aside.mkdir()
            (tmp_path / "store").touch()
    with pytest.raises(IsADirectoryError):
        with written_aside(tmp_path / "True") as aside:
            aside.touch()


def test_only_what_was_there_is_replaced(tmp_path):
    """What the user has put there meanwhile is not."""
    run = tmp_path / "run"
    make_run(run, "[1]")
    with pytest.raises(ValueError, match="exists already; pass --overwrite"):
        with new_directory(run, overwrite=True) as aside:
            seal(aside)
            run.rename(tmp_path / "old")
            run.mkdir()
            (run / "photo").touch()
    assert text_of(tmp_path / "old") == "[1]" and (run / "photo").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["old", "run"]


def test_nobody_can_guess_or_enter_the_folder(tmp_path):
    (tmp_path / "secret").write_text("kept")
    for name in (f".out.{os.getpid()}.partial", f".out.txt.{os.getpid()}.partial"):
        (tmp_path / name).symlink_to(tmp_path / "secret")
    names = set()
    for _ in range(2):
        with written_aside(tmp_path / "out.txt") as aside:
            folder = aside.parent.parent
            names.add(folder.name)
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
            aside.write_text("new")
    assert len(names) == 2 and (tmp_path / "secret").read_text() == "kept"


def test_what_is_not_ours_is_not_cleared_up(tmp_path, monkeypatch):
    (tmp_path / "elsewhere" / "old" / "run").mkdir(parents=True)
    link = tmp_path / ".keras-transformer-link.partial"
    link.symlink_to(tmp_path / "elsewhere")
    theirs = tmp_path / ".keras-transformer-theirs.partial"
    theirs.mkdir()
    before = contents(tmp_path)
    monkeypatch.setattr(os, "geteuid", lambda: theirs.stat().st_uid + 1)
    work_folder.remove_partial(tmp_path)
    assert contents(tmp_path) == before
    monkeypatch.undo()
    work_folder.remove_partial(tmp_path)
    assert link.is_symlink() and not theirs.exists()
    assert (tmp_path / "elsewhere" / "old" / "run").is_dir()


def test_a_folder_that_another_process_clears_up_is_left_to_it(tmp_path, monkeypatch):
    whole = work_folder.holding
    errors = [FileNotFoundError(), BlockingIOError()]

    def holding(path):
        if errors:
            raise errors.pop()
        return whole(path)

    monkeypatch.setattr(work_folder, "holding", holding)
    with written_aside(tmp_path / "out") as aside:
        aside.touch()
    assert (tmp_path / "out").exists() and not errors


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EIO])
def test_a_file_system_without_locks(tmp_path, monkeypatch, number):
    def holding(path):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(work_folder, "holding", holding)
    if number == errno.ENOLCK:
        write_file(tmp_path / "out")
        assert contents(tmp_path) == {tmp_path / "out": b"new"}
    else:
        with pytest.raises(OSError, match="Input/output error"):
            write_file(tmp_path / "out")


def test_a_lock_on_what_was_replaced_is_none(tmp_path, monkeypatch):
    path = tmp_path / "lock"
    path.touch()
    flock = work_folder.fcntl.flock

    def replaced_meanwhile(file, how):
        path.unlink()
        path.touch()
        flock(file, how)

    monkeypatch.setattr(work_folder.fcntl, "flock", replaced_meanwhile)
    with pytest.raises(BlockingIOError), work_folder.holding(path):
        pass


def test_names_may_be_as_long_as_the_system_allows(tmp_path):
    longest = tmp_path / ("é" * 127)  # bytes count
    for number in range(2):
        make_run(longest, str(number), overwrite=True)
    assert text_of(longest) == "1"
    write_file(tmp_path / ("f" * 255))
    too_long = tmp_path / ("é" * 128)
    entered = []
    for place in (new_directory(too_long), new_directory(too_long, True)):
        with pytest.raises(OSError, match="File name too long: '.*é'"), place:
            entered.append(place)
    with pytest.raises(OSError, match="File name too long: '.*é'"):
        with written_aside(too_long):
            entered.append(too_long)
    assert not entered and len(list(tmp_path.iterdir())) == 2
