import warnings

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex

from keras_transformer.plots import alignment, attention

QUERIES, KEYS = ["▁der", "▁Hund", "</s>"], ["▁the", "▁d", "og", ".", "</s>"]
WEIGHTS = np.random.default_rng(0).dirichlet(np.ones(5), size=(6, 3))


def labels(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


def overlaps(texts, figure):
    """Pairs of texts that lie on each other in the picture."""
    FigureCanvasAgg(figure).draw()
    boxes = [text.get_window_extent() for text in texts]
    return [
        (i, j)
        for j in range(len(boxes))
        for i in range(j)
        if boxes[i].overlaps(boxes[j])
    ]


def test_one_head():
    figure = attention(WEIGHTS[2], QUERIES, KEYS, title="layer 1, head 3")
    axes, colorbar = figure.axes
    np.testing.assert_array_equal(axes.collections[0].get_array(), WEIGHTS[2])
    assert labels(axes.yaxis) == QUERIES and labels(axes.xaxis) == KEYS
    assert (
        figure.get_suptitle() == "layer 1, head 3" and colorbar.get_ylabel() == "weight"
    )


def test_a_grid_of_heads_with_labels_at_its_edges():
    figure = attention(WEIGHTS, QUERIES, KEYS)
    *heads, _ = figure.axes
    assert [axes.get_xlabel() for axes in heads] == [f"head {n}" for n in range(1, 7)]
    for number, axes in enumerate(heads):
        np.testing.assert_array_equal(axes.collections[0].get_array(), WEIGHTS[number])
        assert labels(axes.yaxis) == (QUERIES if number in (0, 4) else [""] * 3)
        assert labels(axes.xaxis) == (KEYS if number < 4 else [""] * 5)
        # One scale for all.
        assert axes.collections[0].get_clim() == (0.0, WEIGHTS.max())


@pytest.mark.parametrize("num_heads", [1, 8])
@pytest.mark.parametrize("count", [5, 40])
def test_labels_are_large_enough_and_apart(num_heads, count):
    tokens = ["▁Straßenbahnen", "▁лес", "▁αβ", "▁قطة", "en"] * (count // 5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = attention(
            np.full((num_heads, count, count), 1 / count), tokens, tokens
        )
        first = figure.axes[0]
        for axis in (first.xaxis, first.yaxis):
            texts = axis.get_ticklabels()
            assert (
                overlaps(texts, figure) == []
                and min(text.get_fontsize() for text in texts) >= 7
            )
    assert max(figure.get_size_inches()) < 30


def test_alignment():
    figure = alignment(
        "the dog is asleep", "der Hund schläft", [(0, 0), (1, 1), (3, 2)], title="demo"
    )
    (axes,) = figure.axes
    assert [
        text.get_text() for text in axes.texts
    ] == "the dog is asleep der Hund schläft".split()
    assert axes.get_title() == "demo"
    heights = {text.get_text(): text.get_position()[1] for text in axes.texts}
    ends = [tuple(line.get_ydata()) for line in axes.get_lines()]
    assert ends == [
        (heights[a], heights[b])
        for a, b in (("the", "der"), ("dog", "Hund"), ("asleep", "schläft"))
    ]
    colours = {text.get_text(): to_hex(text.get_color()) for text in axes.texts}
    # Linked to nothing.
    assert [word for word, colour in colours.items() if colour != "#000000"] == ["is"]


@pytest.mark.parametrize("count", [5, 40])
def test_words_of_an_alignment_are_apart(count):
    words = " ".join(["Straßenbahnen", "лес", "αβ", "قطة", "en"] * (count // 5))
    figure = alignment(words, words, [(n, n) for n in range(count)])
    assert overlaps(figure.axes[0].texts, figure) == []
    assert alignment("", "", []).axes[0].texts[:] == []


def test_bad_arguments_are_refused():
    with pytest.raises(
        ValueError,
        match=r"weights must be \(heads, 5, 3\) or without .*; received \(6, 3, 5\)",
    ):
        attention(WEIGHTS, KEYS, QUERIES)
    with pytest.raises(ValueError, match=r"weights must be .*; received \(5,\)"):
        attention(WEIGHTS[0, 0], QUERIES, KEYS)
    with pytest.raises(
        ValueError,
        match=r"links must be pairs of numbers below 1 and 2; received \(1, 0\)",
    ):
        alignment("a", "ein Hund", [(0, 1), (1, 0)])
