"""What is being done, how far, and how long still, on standard error.

`doing` says what a piece of work is, and `advance` how much of it is done, from however
deep inside; without a `doing` around it nothing is shown. At a terminal and in a
notebook there is a bar; elsewhere, as in a log file, there are whole lines.
"""

import contextlib
import contextvars
import io
import shutil
import sys
import threading
import time

from tqdm import tqdm

SHORT = 3  # seconds; of what takes no longer nothing is shown
REDRAW = 0.5  # seconds between two drawings of a bar
LINES = 3  # seconds between two lines
INNERMOST = contextvars.ContextVar("the innermost work", default=None)
# In the format of tqdm's bars, but for `left`.
COUNT = "{n:,.0f} {unit}, {elapsed}"
SHARE = "{percentage:3.0f}%{bar} {n:,.0f}/{total:,.0f} {unit}, {elapsed}, {left} left"


class Pace:
    """How long work takes, but for what is compiled.

    The first step of each kind may compile, and is left out.
    """

    def __init__(self, now):
        self.last = now
        self.kinds = set()
        self.amount = 0
        self.seconds = 0.0

    def step(self, amount, kind, now):
        """Note the end of a step, which began when the last one ended."""
        if kind in self.kinds:
            self.amount += amount
            self.seconds += now - self.last
        self.kinds.add(kind)
        self.last = now

    def seconds_for(self, amount):
        """How long so much will take; None as long as nothing can tell."""
        if not self.amount:
            return None
        return amount * self.seconds / self.amount


class Work(tqdm):
    """A piece of work and its bar, which a thread of its own draws."""

    monitor_interval = 0  # tqdm needs no thread beside ours
    said = 0.0  # when the last line was written

    def __init__(self, what, total, unit, done, seconds, file):
        outer = INNERMOST.get()
        if file is None and outer is not None:
            file = outer.place
        file = file or sys.stderr or io.StringIO()
        if is_notebook(sys.stdout):
            file = sys.stdout  # between the other lines of the cell
        has_bar = is_notebook(file) or file.isatty()
        self.place = file
        self.log = None if has_bar else file
        self.begun = time.monotonic()
        self.end = None if seconds is None else self.begun + seconds
        self.pace = Pace(self.begun)
        self.is_hidden = False
        layout = "{elapsed}"
        if unit:
            layout = COUNT if total is None else SHARE
        if self.log:
            layout = layout.replace("{bar}", ",")
        super().__init__(
            desc=what,
            total=total,
            unit=unit,
            initial=done,
            file=io.StringIO() if self.log else file,
            bar_format="{desc}: " + layout.replace("{bar}", "|{bar}|"),
            leave=False,
            position=0,
            ncols=shutil.get_terminal_size().columns - 1,
            nrows=24,  # a terminal that does not tell its size has -1
            delay=float("inf"),  # tqdm draws nothing unasked
        )

    @property
    def format_dict(self):
        found = super().format_dict
        found["left"] = "?"
        if not self.total:
            return found
        done = min(self.n, self.total)
        total = self.total
        left = self.pace.seconds_for(total - done)
        if self.end is not None:
            most = max(0.0, self.end - time.monotonic())
            if left is None:
                left = most
            elif left > most:
                total = done + (total - done) * most / left
                left = most
        if left is not None:
            found["left"] = self.format_interval(left)
        return found | {"n": done, "total": total}

    def display(self, msg=None, pos=None):
        now = time.monotonic()
        if self.is_hidden or now - self.begun < SHORT:
            return
        if not self.log:
            super().display(msg, pos)
        elif msg is None and now - Work.said >= LINES:
            Work.said = now
            with contextlib.suppress(OSError, ValueError):  # nobody reads it any more
                print(self, file=self.log, flush=True)

    def draw(self, ended):
        """Show it again and again until an event is set."""
        while not ended.wait(REDRAW):
            self.refresh()

    @contextlib.contextmanager
    def hidden(self):
        """Show nothing meanwhile."""
        with self.get_lock():
            self.clear(nolock=True)
            self.is_hidden = True
        try:
            yield
        finally:
            self.is_hidden = False


# That of tqdm would hold for several processes.
Work.set_lock(threading.RLock())


def is_notebook(file):
    return "ipykernel" in type(file).__module__


@contextlib.contextmanager
def doing(what, total=None, unit="", done=0, seconds=None, file=None, shown=True):
    """Show a piece of work for as long as it takes; within it, only an inner one.

    Args:
        what: words for it, such as "opening run".
        total: how much there is to do; None if nobody knows.
        unit: what is counted, in the plural; "" if nothing is.
        done: how much is done already.
        seconds: after how many it ends at the latest; None without a limit.
        file: where to show it; where the work around it is shown, or on standard
            error, when absent.
        shown: False for one of several processes that do the same.
    """
    if not shown:
        yield
        return
    work = Work(what, total, unit, done, seconds, file)
    outer = INNERMOST.get()
    ended = threading.Event()
    thread = threading.Thread(target=work.draw, args=[ended], daemon=True)
    with contextlib.nullcontext() if outer is None else outer.hidden():
        before = INNERMOST.set(work)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            INNERMOST.reset(before)
            work.clear()
            work.close()


def advance(amount=1, kind=None):
    """Count a step of the work under way, if any.

    Steps of a `kind`, such as the shape of a batch, compile nothing after the first.
    """
    work = INNERMOST.get()
    if work is not None:
        work.n += amount
        work.pace.step(amount, kind, time.monotonic())


def describe(what):
    """Say what the work under way has come to, if there is any."""
    work = INNERMOST.get()
    if work is not None:
        work.set_description_str(what, refresh=False)


def awaited(items):
    """The items, within a `doing`, which is hidden while it waits for one."""
    work = INNERMOST.get()
    items = iter(items)
    while True:
        try:
            with work.hidden():
                item = next(items)
        except StopIteration:
            return
        work.pace.last = time.monotonic()
        yield item


def say(*lines, file=None):
    """Print lines, on standard output if no file is given, beside bars."""
    file = file or sys.stdout
    with Work.external_write_mode(file=file):
        print(*lines, sep="\n", file=file, flush=True)
