import io
import os
import subprocess
import sys
import threading
import time

import pytest

from keras_transformer.process import bars
from keras_transformer.process.bars import Pace, advance, awaited, describe, doing, say


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def at_once(monkeypatch):
    """Whatever is due is shown; nothing is by itself."""
    monkeypatch.setattr(bars, "SHORT", 0)
    monkeypatch.setattr(bars, "LINES", 0)
    monkeypatch.setattr(bars, "REDRAW", threading.TIMEOUT_MAX)


def show():
    bars.INNERMOST.get().refresh()


def lines(capsys):
    return capsys.readouterr().err.splitlines()


@pytest.mark.parametrize("shapes, slow", [(1, 60.0), (7, 9.0)])
def test_the_estimate_leaves_compilation_out(shapes, slow):
    """400 steady steps; the first of each shape takes long, wherever it comes."""
    now = 1000.0
    pace = Pace(now)
    seen = set()
    for step in range(400):
        shape = (step * step) % shapes
        took = 0.4 + 0.1 * (step % 3)
        now += took if shape in seen else slow
        seen.add(shape)
        pace.step(1, shape, now)
        if step >= 40:
            left = sum(0.4 + 0.1 * (later % 3) for later in range(step + 1, 400))
            assert pace.seconds_for(399 - step) == pytest.approx(left, rel=0.3)


def test_nothing_is_guessed_of_compiling_steps_alone():
    pace = Pace(0.0)
    pace.step(1, "a", 50.0)
    pace.step(1, "b", 90.0)
    assert pace.seconds_for(10) is None
    pace.step(2, "a", 91.0)
    assert pace.seconds_for(10) == 5.0


def test_a_log_gets_whole_lines(at_once, capsys):
    with doing("translating", 2000, "sentences"):
        advance(500)
        show()
        advance(500)
        bars.INNERMOST.get().pace.seconds = 30.0
        show()
        describe("checking")
        advance(2000)
        show()
    first, second, third = lines(capsys)
    assert first == "translating:  25%, 500/2,000 sentences, 00:00, ? left"
    assert second == "translating:  50%, 1,000/2,000 sentences, 00:00, 01:00 left"
    assert third == "checking: 100%, 2,000/2,000 sentences, 00:00, 00:00 left"


def test_what_has_no_total_and_what_has_no_count(at_once, capsys):
    with doing("reading", unit="lines"):
        advance(1234)
        show()
        with doing("opening a {run}"):
            show()
            with doing("nothing", shown=False):
                pass
    assert lines(capsys) == ["reading: 1,234 lines, 00:00", "opening a {run}: 00:00"]


def test_a_limit_of_time_shortens_what_is_left(at_once, capsys):
    with doing("training", 1000, "batches", done=100, seconds=60.5):
        show()
        advance()
        advance(99)
        bars.INNERMOST.get().pace.seconds = 99.0
        show()
    first, second = lines(capsys)
    assert first == "training:  10%, 100/1,000 batches, 00:00, 01:00 left"
    # A second each: 60 more.
    assert second == "training:  77%, 200/260 batches, 00:00, 01:00 left"


def test_the_inner_work_is_shown_alone(at_once, capsys):
    with doing("outer"):
        outer = bars.INNERMOST.get()
        with doing("inner"):
            outer.refresh()
            show()
        show()
    assert lines(capsys) == ["inner: 00:00", "outer: 00:00"]
    assert bars.INNERMOST.get() is None
    advance()
    describe("nothing is under way")


def test_what_is_short_is_not_shown(monkeypatch, capsys):
    monkeypatch.setattr(bars, "SHORT", 1000)
    with doing("a moment", 5, "steps"):
        advance()
        show()
    assert lines(capsys) == []


def test_lines_keep_a_distance(at_once, monkeypatch, capsys):
    with doing("one"):
        show()
    monkeypatch.setattr(bars, "LINES", 1000)
    with doing("another"):
        show()
    assert lines(capsys) == ["one: 00:00"]


def test_a_thread_shows_what_takes_long(monkeypatch):
    monkeypatch.setattr(bars, "SHORT", 0)
    monkeypatch.setattr(bars, "LINES", 0)
    monkeypatch.setattr(bars, "REDRAW", 0.001)
    file = io.StringIO()
    with doing("compiling", file=file):
        while file.getvalue().count("\n") < 3:
            time.sleep(0.001)
    assert set(file.getvalue().splitlines()) == {"compiling: 00:00"}


def test_a_terminal_has_a_bar_that_goes_away(at_once, monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setattr(sys, "stderr", terminal)
    with doing("translating", 4, "sentences"):
        advance(2)
        show()
        bar = terminal.getvalue()
        say("a line", "another")
    written = terminal.getvalue()
    assert "\n" not in bar and "translating:  50%|" in bar
    assert "2/4 sentences" in bar
    assert "\r" in written.removeprefix(bar).partition("a line\nanother\n")[0]
    assert written.rstrip("\r").endswith(" ")


def test_a_notebook_has_its_bar_between_the_lines(at_once, monkeypatch):
    class Stream(io.StringIO):
        __module__ = "ipykernel.iostream"

    cell = Stream()
    monkeypatch.setattr(sys, "stdout", cell)
    with doing("training", 4, "batches"):
        advance()
        show()
        say("epoch 1/2")
    assert cell.getvalue().startswith("\rtraining:  25%|")
    assert "\repoch 1/2\n" in cell.getvalue()


def test_waiting_for_input_is_not_shown(at_once, capsys):
    def typed():
        show()
        yield "a"
        show()

    with doing("translating", unit="sentences"):
        for _ in awaited(typed()):
            show()
    assert lines(capsys) == ["translating: 0 sentences, 00:00"]


def test_who_reads_no_more_is_no_error(at_once, monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    with doing("a"):
        show()
    full = open("/dev/full", "w") if os.path.exists("/dev/full") else io.StringIO()
    with doing("b", file=full):
        show()
    closed = io.StringIO()
    with doing("c", file=closed):
        closed.close()
        show()


def test_one_thread_and_no_other_is_started():
    code = "import threading, keras_transformer.process.bars as bars\n"
    code += "with bars.doing('a'): print(threading.active_count())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "2\n", done.stderr
