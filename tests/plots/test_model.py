import numpy as np
import pytest
from keras import ops
from matplotlib.colors import to_hex

from keras_transformer.layers.masks import causal_mask, padding_mask
from keras_transformer.layers.positional_embedding import PositionalEmbedding
from keras_transformer.plots import masks, positions
from keras_transformer.plots.model import ALLOWED, FORBIDDEN


def test_positions():
    figure = positions(
        PositionalEmbedding(vocab_size=11, d_model=14), length=9, title="sinusoids"
    )
    table, alike = (axes.images[0].get_array() for axes in figure.axes[:2])
    expected = np.arange(9)[:, None] / 10000.0 ** (np.arange(0, 14, 2) / 14)
    np.testing.assert_allclose(table[:, 0::2], np.sin(expected), atol=1e-5)
    np.testing.assert_allclose(table[:, 1::2], np.cos(expected), atol=1e-5)
    # Sines and cosines: how alike two positions are depends on their distance alone.
    np.testing.assert_allclose(
        alike, np.cos(expected[:, None] - expected).mean(axis=-1), atol=1e-5
    )
    assert [axes.get_title() for axes in figure.axes[:2]] == [
        "position vectors",
        "cosine of two positions",
    ]
    assert figure.get_suptitle() == "sinusoids"


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
    steps, ids = np.arange(4)[None], np.array([[5, 6, 3], [3, 0, 0]])
    everything = np.ones((2, 3), bool)
    figure = masks(
        {
            "padding": padding_mask(ids),
            "causal": causal_mask(steps, steps),
            "all": everything,
        },
        title="who",
    )
    padding, causal, full = figure.axes
    assert [axes.get_title() for axes in figure.axes] == ["padding", "causal", "all"]
    assert (
        padding.images[0].get_array().tolist() == [[1, 1, 1], [1, 0, 0]]
        and padding.get_ylabel() == "sentence"
    )
    assert (
        causal.images[0].get_array().tolist() == np.tri(4).tolist()
        and causal.get_ylabel() == "query position"
    )
    shades = [to_hex(full.images[0].to_rgba(np.array([value]))[0]) for value in (0, 1)]
    assert shades == [FORBIDDEN, ALLOWED]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["may look", "may not"]


@pytest.mark.parametrize(
    "wrong", [{}, {"causal": np.ones((2, 2))}, {"causal": np.ones(2, bool)}]
)
def test_bad_masks_are_refused(wrong):
    with pytest.raises(
        ValueError,
        match="masks must be one or more boolean arrays of two or three axes; received",
    ):
        masks(wrong)
