import gzip
import os

import pytest

from keras_transformer.text.lines import read_lines


@pytest.mark.parametrize("name", ["text.en", "text.en.gz"])
def test_lines_end_at_newlines_only(tmp_path, name):
    path, content = (
        tmp_path / name,
        b"\xef\xbb\xbfone\r\n" + "two\u2028still\x0btwo\x85\n\nfo\rur".encode(),
    )
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
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
