import pytest

from keras_transformer.decoding.batching import LEFT, batches, row_sizes


def shapes(lengths, batch_size=64):
    return [
        ([lengths[n] for n in batch], rows, width)
        for batch, rows, width in batches(lengths, batch_size, 128)
    ]


def test_a_small_request_has_few_rows():
    assert row_sizes(64) == [1, 8, 32, 64]
    assert row_sizes(7) == [1, 7]
    assert row_sizes(20, LEFT) == [1, 4, 8, 16, 20]
    for number, rows in ((1, 1), (2, 8), (9, 32), (32, 32), (33, 64)):
        ((_, found, _),) = shapes([5] * number)
        assert found == rows


@pytest.mark.parametrize("long", [33, 64, 65, 128])
def test_one_long_sentence_slows_no_short_one(long):
    short = [3, 30, 32, 5]
    first, second = shapes([*short, long])
    assert first == (sorted(short), 8, shapes(short)[0][2])
    assert second[:2] == ([long], 1)


def test_sentences_of_one_kind_stay_together():
    assert [own for own, _, _ in shapes([33, 64, 50])] == [[33, 50, 64]]
    assert [own for own, _, _ in shapes([65, 120])] == [[65, 120]]


def test_long_sentences_are_few():
    assert [len(own) for own, _, _ in shapes([100] * 20)] == [8, 8, 4]
    assert [len(own) for own, _, _ in shapes([60] * 70)] == [64, 6]
