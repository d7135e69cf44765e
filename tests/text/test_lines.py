import gzip
import os
import re

import numpy as np
import pytest

from keras_transformer.text.lines import checked_text, checked_texts, read_lines


@pytest.mark.parametrize("name", ["text.en", "text.en.gz", "TEXT.EN.GZ"])
def test_lines_end_at_newlines_only(tmp_path, name):
    path = tmp_path / name
    content = b"\xef\xbb\xbfone\r\n" + "two\u2028still\x0btwo\x85\n\nfo\rur".encode()
    is_packed = path.suffix.lower() == ".gz"
    path.write_bytes(gzip.compress(content) if is_packed else content)
    assert list(read_lines(path)) == ["one", "two\u2028still\x0btwo\x85", "", "fo\rur"]


def test_unreadable_files(tmp_path):
    for path in (
        tmp_path / "absent.en",
        tmp_path,
        tmp_path / "plain.gz",
        tmp_path / "cut.gz",
    ):
        (tmp_path / "plain.gz").write_text("not compressed")
        (tmp_path / "cut.gz").write_bytes(gzip.compress(b"a\n" * 999)[:-9])
        with pytest.raises(
            ValueError, match=f"{path} must be a readable text file; received "
        ):
            list(read_lines(path))


@pytest.mark.parametrize("name", ["pipe", "pipe.gz"])
def test_a_pipe_or_a_device_is_refused_by_name(tmp_path, name):
    os.mkfifo(tmp_path / name)
    for path in (tmp_path / name, "/dev/zero", "/dev/null"):
        message = f"{path} must be a regular file, no pipe or device; received '[pc]rw"
        with pytest.raises(ValueError, match=message):
            next(read_lines(path))


def test_what_is_no_text_is_named():
    assert list(checked_texts(iter(["a", "é 👩"]), "texts")) == ["a", "é 👩"]
    for wrong in (None, 3, "a man", b"a man", np.array("a man")):
        message = re.escape(f"texts must be a list of strings; received {wrong!r}")
        with pytest.raises(ValueError, match=message):
            checked_texts(wrong, "texts")
    for wrong in (None, 3.5, b"a man", ["a"]):
        message = re.escape(f"texts[1] must be a string; received {wrong!r}")
        with pytest.raises(ValueError, match=message):
            list(checked_texts(["a", wrong], "texts"))
    message = r"must be text without lone surrogates; received 'x{20}\\ud800'"
    with pytest.raises(ValueError, match=message):
        checked_text("x" * 500 + "\ud800" + "y" * 500, "text")
