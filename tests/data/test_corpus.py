import gzip

import pytest

from keras_transformer.config import DataConfig
from keras_transformer.data.corpus import FilterReport, judge, read_pairs

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
    assert list(read_pairs(write(tmp_path / "s.tsv.gz", table + "\n"))) == [
        *expected,
        ("", ""),
    ]


@pytest.mark.parametrize(
    "source, target, message",
    [
        (
            "a\nb\nc\n",
            "a\nb\n",
            r"as many lines as each other; .*s\.en has 3 and .*t\.de has 2",
        ),
        ("a\n", "a\n" * 1200, r"s\.en has 1 and .*t\.de has 1,200"),
        ("", "a\n", r"s\.en must contain sentences; it is empty"),
        ("a\n", "", r"t\.de must contain sentences; it is empty"),
        (b"a\nb\n\xff\n", "a\nb\nc\n", r"s\.en must be UTF-8; line 3 is not"),
    ],
)
def test_bad_files(tmp_path, source, target, message):
    with pytest.raises(ValueError, match=message):
        list(
            read_pairs(
                write(tmp_path / "s.en", source), write(tmp_path / "t.de", target)
            )
        )


def test_bad_tables(tmp_path):
    with pytest.raises(
        ValueError, match=r"s\.tsv must have two columns .*; line 2 has 3"
    ):
        list(read_pairs(write(tmp_path / "s.tsv", "a\tb\na\tb\tc\n")))
    with pytest.raises(ValueError, match="must contain sentences; it is empty"):
        list(read_pairs(write(tmp_path / "s.tsv", "")))
    with pytest.raises(
        ValueError, match="target must be absent when source is a .tsv file"
    ):
        read_pairs("s.tsv", "t.de")
    with pytest.raises(
        ValueError, match="target must be given unless source is a .tsv file"
    ):
        read_pairs("s.en")


def test_judging_counts_end_tokens():
    config = DataConfig(max_length=10, max_ratio=3.0)
    assert judge(9, 9, config) == "kept"
    assert judge(10, 9, config) == judge(9, 10, config) == "too_long"
    assert judge(0, 10, config) == judge(3, 0, config) == "empty"
    assert judge(2, 8, config) == "kept"  # 3 and 9 with end tokens
    assert judge(9, 2, config) == "ratio"
    expected = (
        "kept 1 of 10 pairs; dropped 9: 2 empty, 3 too long, 4 of unlikely length ratio"
    )
    assert str(FilterReport(1, 2, 3, 4)) == expected
