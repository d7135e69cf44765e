import pytest

from keras_transformer.cli.shards import (
    is_done,
    join_parts,
    parse_shard,
    share,
    write_part,
)

MARK = {"of": "this"}


@pytest.mark.parametrize("text", ["", "1", "2/2", "a/2", "-1/2", "1/2/3", "1/"])
def test_a_shard_is_two_numbers(text):
    with pytest.raises(
        ValueError, match=f"shard must be K/N with K from 0 to N - 1; received '{text}'"
    ):
        parse_shard(text)


@pytest.mark.parametrize("count", [1, 2, 3, 7])
@pytest.mark.parametrize("lines", [0, 1, 5, 6])
def test_parts_come_together_in_the_order_of_the_lines(tmp_path, count, lines):
    texts, output = [f"line {n}" for n in range(1, lines + 1)], tmp_path / "out"
    for number in reversed(range(count)):
        assert not output.exists()
        found = ([text.upper(), text] for text in share(texts, (number, count)))
        write_part(output, (number, count), MARK, found)
        assert is_done(output, (number, count), MARK)
        assert join_parts(output, (number, count), MARK) == list(range(number))
    assert output.read_text().splitlines() == [
        line for text in texts for line in (text.upper(), text)
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_part_of_something_else_does_not_count(tmp_path):
    write_part(tmp_path / "out", (0, 2), {"of": "that"}, [["a"]])
    write_part(tmp_path / "out", (1, 2), MARK, [["b"]])
    assert join_parts(tmp_path / "out", (1, 2), MARK) == [0]
    (tmp_path / "out.0-of-2.part").write_text("{")
    assert not is_done(tmp_path / "out", (0, 2), MARK)


def test_who_comes_second_finds_it_done(tmp_path):
    for number in range(2):
        write_part(tmp_path / "out", (number, 2), MARK, [[str(number)]])
    assert (
        join_parts(tmp_path / "out", (0, 2), MARK)
        == []
        == join_parts(tmp_path / "out", (1, 2), MARK)
    )
    assert (tmp_path / "out").read_text() == "0\n1\n"


def test_a_failure_leaves_no_part(tmp_path):
    def fail():
        yield ["a"]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_part(tmp_path / "out", (0, 1), MARK, fail())
    assert [*tmp_path.iterdir()] == []
