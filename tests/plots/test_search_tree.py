import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from keras_transformer.decoding.trace import BeamStep
from keras_transformer.plots import beam_tree
from keras_transformer.plots.search_tree import COLOURS

STEPS = [
    BeamStep(live=(((), 0.0),), finished=()),
    BeamStep(live=((("a",), -0.5), (("b",), -1.5)), finished=()),
    BeamStep(
        live=((("a", "b"), -1.0), (("a", "c"), -1.25)), finished=((("a", "."), -2.0),)
    ),
    BeamStep(
        live=((("a", "b", "b"), -4.0),),
        finished=((("a", "b", "."), -0.75), (("a", "c", "."), -1.0)),
    ),
]


def parts(figure):
    """The boxes and lines of a picture.

    Boxes as {(column, rank): (label, kind)}, lines as {((column, rank), ...): kind}.
    """
    kinds = {colour: kind for kind, colour in COLOURS.items()}
    (axes,) = figure.axes
    boxes = {
        text.get_position(): (text.get_text(), kinds[text.get_color()])
        for text in axes.texts
    }
    lines = {
        tuple(map(tuple, line.get_xydata().astype(int))): kinds[line.get_color()]
        for line in axes.get_lines()
    }
    return boxes, lines


def test_kept_dropped_and_finished():
    figure = beam_tree(STEPS)
    boxes, lines = parts(figure)
    assert boxes == {
        (1, 0): ("a\n-0.50", "best"),
        (1, 1): ("b\n-1.50", "dropped"),
        (2, 0): (".\n-2.00", "dropped"),  # finished, and then two others were better
        (2, 1): ("b\n-1.00", "best"),
        (2, 2): ("c\n-1.25", "kept"),
        (3, 0): (".\n-0.75", "best"),
        (3, 1): (".\n-1.00", "finished"),
        (3, 2): ("b\n-4.00", "dropped"),
    }
    assert lines == {
        ((0, 0), (1, 0)): "best",
        ((0, 0), (1, 1)): "dropped",
        ((1, 0), (2, 0)): "dropped",
        ((1, 0), (2, 1)): "best",
        ((1, 0), (2, 2)): "kept",
        ((2, 1), (3, 0)): "best",
        ((2, 2), (3, 1)): "finished",
        ((2, 1), (3, 2)): "dropped",
    }
    assert figure.axes[0].get_xlabel() == "step"
    shown = {text.get_text() for text in figure.legends[0].get_texts()}
    assert shown == {*COLOURS}


@pytest.mark.parametrize("count", [5, 40])
def test_boxes_are_apart(count):
    word = "▁Straßen"
    steps = [BeamStep(live=(((), 0.0),), finished=())]
    for n in range(1, count):
        before = (word,) * n
        live = tuple(((*before, f"{word}{k}"), -1.0 - k) for k in range(4))
        steps.append(BeamStep(live=live, finished=()))
    figure = beam_tree(steps)
    FigureCanvasAgg(figure).draw()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert len(boxes) == 4 * (count - 1)
    assert not any(a.overlaps(b) for n, a in enumerate(boxes) for b in boxes[:n])


def test_nothing_to_draw():
    message = "steps must hold a step after the first state at least; received 1"
    with pytest.raises(ValueError, match=message):
        beam_tree(STEPS[:1])
