"""Parts of a file come together, whichever process is done first."""

import pytest
from layer_checks import ON_TORCH

from keras_transformer.cli.shards import Share, parse_shard

pytestmark = ON_TORCH
MARK = {"of": "this"}


def share(folder, number, count=2, mark=MARK):
    return Share(folder / "out", number, count, mark)


@pytest.mark.parametrize("text", ["", "1", "2/2", "a/2", "-1/2", "1/2/3", "1/"])
def test_a_shard_is_two_numbers(text):
    message = f"shard must be K/N with K from 0 to N - 1; received '{text}'"
    with pytest.raises(ValueError, match=message):
        parse_shard(text)


@pytest.mark.parametrize("count", [1, 2, 3, 7])
@pytest.mark.parametrize("lines", [0, 1, 5, 6])
def test_parts_come_together_in_the_order_of_the_lines(tmp_path, count, lines):
    texts = [f"line {n}" for n in range(1, lines + 1)]
    for number in reversed(range(count)):
        assert not (tmp_path / "out").exists()
        own = share(tmp_path, number, count)
        own.write([text.upper(), text] for text in own.of(texts))
        assert own.is_done(number)
        assert own.join() == list(range(number))
    expected = [line for text in texts for line in (text.upper(), text)]
    assert (tmp_path / "out").read_text().splitlines() == expected
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_part_of_something_else_does_not_count(tmp_path):
    share(tmp_path, 0, mark={"of": "that"}).write([["a"]])
    share(tmp_path, 1).write([["b"]])
    assert share(tmp_path, 1).join() == [0]
    (tmp_path / "out.0-of-2.part").write_text("{")
    assert not share(tmp_path, 1).is_done(0)


def test_who_comes_second_finds_it_done(tmp_path):
    for number in range(2):
        share(tmp_path, number).write([[str(number)]])
    assert share(tmp_path, 0).join() == share(tmp_path, 1).join() == []
    assert (tmp_path / "out").read_text() == "0\n1\n"


def test_a_failure_leaves_no_part(tmp_path):
    def fail():
        yield ["a"]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        share(tmp_path, 0, count=1).write(fail())
    assert [*tmp_path.iterdir()] == []
