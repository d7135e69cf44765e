"""Rows of token ids in memory-mapped files: what stores of pairs and of texts share."""

import contextlib
import dataclasses
import io
import itertools
import json
from pathlib import Path

import numpy as np

from ..config import expect
from ..runs.sealed_files import write_json, written_aside

SPAN = 1 << 22  # rows looked at together: what is made of all takes memory


class IdStore:
    """Rows of ids with random access, of one side or two.

    Each side has the ids of all rows end to end, and offsets: row i is
    `ids[offsets[i] : offsets[i + 1]]`, without begin and end. The arrays of a folder
    are memory-mapped, so a corpus may be larger than memory.

    A subclass has `files`, the names of ids and offsets of each side, `__len__`, and
    `_write(files, *content)`, which tokenises and gives the type of ids and a report.
    """

    kind = None  # what errors call it
    files = ()
    report_kind = None  # the dataclass of its report

    def __init__(self, arrays, report):
        # Plain views: slicing np.memmap itself is several times slower.
        plain = [np.asarray(array) for array in arrays]
        self._sides = list(zip(plain[::2], plain[1::2]))
        self.report = report

    @classmethod
    def _build(cls, folder, *content):
        """Make a new folder, which appears only when it is complete."""
        folder = Path(folder)
        expect(not folder.exists(), "folder", "not exist yet", str(folder))
        folder.parent.mkdir(parents=True, exist_ok=True)
        with written_aside(folder) as aside:
            aside.mkdir()
            paths = [aside / name for name in cls.files]
            with contextlib.ExitStack() as opened:
                files = [opened.enter_context(path.open("wb")) for path in paths]
                dtype, report = cls._write(files, *content)
            about = {"dtype": dtype, "report": dataclasses.asdict(report)}
            write_json(aside / "store.json", about)
        return cls.open(folder)

    @classmethod
    def open(cls, folder):
        """Open a folder that `build` made; a `ValueError` if it is no whole one."""
        folder = Path(folder)
        try:
            about = json.loads((folder / "store.json").read_text("utf-8"))
            report = cls.report_kind(**about["report"])
            types = zip(cls.files, itertools.cycle((about["dtype"], "int64")))
            arrays = [np.memmap(folder / name, kind, "r") for name, kind in types]
        except (OSError, ValueError, KeyError, TypeError) as error:
            message = f"folder must be a {cls.kind}; {folder} is not: {error}"
            raise ValueError(message) from None
        store = cls(arrays, report)
        for ids, offsets in store._sides:
            sizes_fit = len(offsets) == len(store) + 1 and len(ids) == offsets[-1]
            rises = all((np.diff(part) > 0).all() for _, part in spans(offsets))
            is_complete = sizes_fit and offsets[0] == 0 and rises
            expect(is_complete, "folder", f"be a complete {cls.kind}", str(folder))
        return store

    @classmethod
    def _in_memory(cls, *content):
        """The same without files."""
        files = [io.BytesIO() for _ in cls.files]
        dtype, report = cls._write(files, *content)
        types = zip(files, itertools.cycle((dtype, "int64")))
        arrays = [np.frombuffer(file.getbuffer(), kind) for file, kind in types]
        return cls(arrays, report)


def spans(offsets):
    """The offsets of some million rows at a time, and the number of the first row."""
    for start in range(0, len(offsets) - 1, SPAN):
        yield start, offsets[start : start + SPAN + 1]


def type_of_ids(*tokenizers):
    """The smallest type that holds the ids of some tokenizers."""
    largest = max(tokenizer.vocab_size for tokenizer in tokenizers)
    return "uint16" if largest <= 2**16 else "uint32"


def begin_side(files):
    """Write the first offset of a side; the number of its ids so far."""
    files[1].write(np.zeros(1, np.int64).tobytes())
    return 0


def write_rows(files, rows, end, dtype):
    """Write rows of ids behind the `end` ids of a side; how many ids it has then."""
    ids = np.fromiter(itertools.chain.from_iterable(rows), dtype)
    ends = end + np.cumsum([len(row) for row in rows], dtype=np.int64)
    files[0].write(ids.tobytes())
    files[1].write(ends.tobytes())
    return end + len(ids)
