"""Parts of a file come together, whichever process is done first."""

import pytest
from layer_checks import ON_TORCH

from keras_transformer.cli.shards import (
    join_parts,
    parse_shard,
    parts_of,
    write_part,
)

pytestmark = ON_TORCH


@pytest.mark.parametrize("text", ["", "1", "2/2", "a/2", "-1/2", "1/2/3", "1/"])
def test_a_shard_is_two_numbers(text):
    message = f"--shard must be K/N with K from 0 to N - 1; received '{text}'"
    with pytest.raises(ValueError, match=message):
        parse_shard(text)


@pytest.mark.parametrize("count", [1, 2, 3, 7])
@pytest.mark.parametrize("lines", [0, 1, 5, 6])
def test_parts_come_together_in_the_order_of_the_lines(tmp_path, count, lines):
    texts = [f"line {n}" for n in range(1, lines + 1)]
    output = tmp_path / "out"
    parts = parts_of(output, count, {"of": "this"})
    for number in reversed(range(count)):
        assert not output.exists()
        write_part(
            parts[number], ([text.upper(), text] for text in texts[number::count])
        )
        assert join_parts(output, parts, number) == list(range(number))
    expected = [line for text in texts for line in (text.upper(), text)]
    assert output.read_text().splitlines() == expected
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_part_of_something_else_does_not_count(tmp_path):
    output = tmp_path / "out"
    parts = parts_of(output, 2, {"of": "this"})
    write_part(parts_of(output, 2, {"of": "that"})[0], [["a"]])
    write_part(parts[1], [["b"]])
    assert join_parts(output, parts, 1) == [0]


def test_who_comes_second_finds_it_done(tmp_path):
    output = tmp_path / "out"
    parts = parts_of(output, 2, None)
    for number, part in enumerate(parts):
        write_part(part, [[str(number)]])
    assert join_parts(output, parts, 0) == join_parts(output, parts, 1) == []
    assert output.read_text() == "0\n1\n"


def test_a_failure_leaves_no_part(tmp_path):
    def fail():
        yield ["a"]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_part(parts_of(tmp_path / "out", 1, None)[0], fail())
    assert [*tmp_path.iterdir()] == []
