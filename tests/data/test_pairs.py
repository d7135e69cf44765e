import gzip
import io

import pytest

from keras_transformer.data.pairs import read_pairs

SOURCE = ["a man runs", "two dogs", "a dog barks at a man"]
TARGET = ["ein Mann läuft", "zwei Hunde", "ein Hund bellt einen Mann an"]


def write(path, content):
    content = content if isinstance(content, bytes) else content.encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def test_pairs_of_files_and_of_columns(tmp_path):
    expected = list(zip(SOURCE, TARGET, strict=True))
    source = write(tmp_path / "s.en", "\n".join(SOURCE))
    target = write(tmp_path / "s.de.gz", "\n".join(TARGET) + "\n")
    assert list(read_pairs(source, target)) == expected
    table = "".join(f"{s}\t{t}\n" for s, t in expected)
    assert list(read_pairs(write(tmp_path / "s.tsv", table))) == expected
    compressed = write(tmp_path / "s.tsv.gz", table + "\n")
    assert list(read_pairs(compressed)) == expected


LONG = r"s\.en and .*t\.de must have as many lines; received "


@pytest.mark.parametrize(
    "source, target, message",
    [
        ("a\nb\nc\n", "a\nb\n", LONG + r"\[3, 2\]"),
        ("a\n", "a\n" * 1200, LONG + r"\[1, 1200\]"),
        ("", "a\n", r"s\.en must contain sentences; received 0"),
        ("a\n", "", r"t\.de must contain sentences; received 0"),
        (b"a\nb\n\xff\n", "a\nb\nc\n", r"s\.en must be UTF-8; line 3 is not"),
    ],
)
def test_bad_files(tmp_path, source, target, message):
    paths = write(tmp_path / "s.en", source), write(tmp_path / "t.de", target)
    with pytest.raises(ValueError, match=message):
        list(read_pairs(*paths))


def test_bad_tables(tmp_path):
    for content, message in (
        ("a\tb\na\tb\tc\n", r"s\.tsv, line 2, must have two columns; received 3"),
        ("", "must contain sentences; received 0"),
    ):
        with pytest.raises(ValueError, match=message):
            list(read_pairs(write(tmp_path / "s.tsv", content)))
    with pytest.raises(ValueError, match="target must be absent when source is a .tsv"):
        read_pairs("s.tsv", "t.de")
    with pytest.raises(ValueError, match="target must be given unless source is a .ts"):
        read_pairs(write(tmp_path / "s.en", "a"))
    with pytest.raises(ValueError, match="source must be paths of files, or rows; rec"):
        read_pairs(None)
    message = "source and target must be paths of files; rec"
    with pytest.raises(ValueError, match=message):
        read_pairs("s.en", io.BytesIO(b"a\n"))
