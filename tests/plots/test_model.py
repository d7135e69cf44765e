import warnings

import numpy as np
import pytest
from keras import ops
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex

from keras_transformer.layers.masks import causal_mask, padding_mask
from keras_transformer.layers.positional_embedding import PositionalEmbedding
from keras_transformer.plots import alignment, attention, masks, positions
from keras_transformer.plots.model import COLOURS

QUERIES = ["▁der", "▁Hund", "</s>"]
KEYS = ["▁the", "▁d", "og", ".", "</s>"]
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
    figure = attention(WEIGHTS[2], QUERIES, KEYS)
    axes, colorbar = figure.axes
    np.testing.assert_array_equal(axes.images[0].get_array(), WEIGHTS[2])
    assert labels(axes.yaxis) == QUERIES and labels(axes.xaxis) == KEYS
    assert colorbar.get_ylabel() == "weight"


def test_a_grid_of_heads_with_labels_at_its_edges():
    figure = attention(WEIGHTS, QUERIES, KEYS)
    *heads, _ = figure.axes
    assert [axes.get_xlabel() for axes in heads] == [f"head {n}" for n in range(1, 7)]
    for number, axes in enumerate(heads):
        np.testing.assert_array_equal(axes.images[0].get_array(), WEIGHTS[number])
        assert labels(axes.yaxis) == (QUERIES if number in (0, 4) else [""] * 3)
        assert labels(axes.xaxis) == (KEYS if number < 4 else [""] * 5)
        # One scale for all.
        assert axes.images[0].get_clim() == (0.0, WEIGHTS.max())


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
    links = [(0, 0), (1, 1), (3, 2)]
    figure = alignment("the dog is asleep", "der Hund schläft", links)
    (axes,) = figure.axes
    words = [text.get_text() for text in axes.texts]
    assert words == "the dog is asleep der Hund schläft".split()
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
    message = r"weights must be \(5, 3\), queries and keys, .*; received \(6, 3, 5\)"
    with pytest.raises(ValueError, match=message):
        attention(WEIGHTS, KEYS, QUERIES)
    with pytest.raises(ValueError, match=r"weights must be .*; received \(5,\)"):
        attention(WEIGHTS[0, 0], QUERIES, KEYS)
    message = r"links must be pairs of numbers below 1 and 2; received \(1, 0\)"
    with pytest.raises(ValueError, match=message):
        alignment("a", "ein Hund", [(0, 1), (1, 0)])


def test_positions():
    figure = positions(PositionalEmbedding(vocab_size=11, d_model=14), length=9)
    table, alike = (axes.images[0].get_array() for axes in figure.axes[:2])
    expected = np.arange(9)[:, None] / 10000.0 ** (np.arange(0, 14, 2) / 14)
    np.testing.assert_allclose(table[:, 0::2], np.sin(expected), atol=1e-5)
    np.testing.assert_allclose(table[:, 1::2], np.cos(expected), atol=1e-5)
    # Sines and cosines: how alike two positions are depends on their distance alone.
    np.testing.assert_allclose(
        alike, np.cos(expected[:, None] - expected).mean(axis=-1), atol=1e-5
    )
    titles = [axes.get_title() for axes in figure.axes[:2]]
    assert titles == ["position vectors", "cosine of two positions"]


def test_learned_positions():
    embedding = PositionalEmbedding(
        vocab_size=11, d_model=14, positions="learned", max_positions=7
    )
    table = positions(embedding, length=7).axes[0].images[0].get_array()
    expected = ops.convert_to_numpy(embedding.position_table)
    np.testing.assert_allclose(table, expected, atol=1e-6)
    with pytest.raises(ValueError, match="length must be between 1 and 7; received 8"):
        positions(embedding, length=8)


def test_masks():
    steps = np.arange(4)[None]
    ids = np.array([[5, 6, 3], [3, 0, 0]])
    everything = np.ones((2, 3), bool)
    causal = causal_mask(steps, steps)
    figure = masks({"padding": padding_mask(ids), "causal": causal, "all": everything})
    padding, causal, full = figure.axes
    assert [axes.get_title() for axes in figure.axes] == ["padding", "causal", "all"]
    assert padding.images[0].get_array().tolist() == [[1, 1, 1], [1, 0, 0]]
    assert padding.get_ylabel() == "sentence"
    assert causal.images[0].get_array().tolist() == np.tri(4).tolist()
    assert causal.get_ylabel() == "query position"
    shades = [to_hex(full.images[0].to_rgba(np.array([value]))[0]) for value in (0, 1)]
    assert shades == list(COLOURS.values())
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [*COLOURS]


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({}, "masks must be one or more; received {}"),
        ({"causal": np.ones((2, 2))}, "causal must be boolean; received 'float64'"),
        ({"causal": np.ones(2, bool)}, "causal must have two or three axes; received"),
    ],
)
def test_bad_masks_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        masks(wrong)
