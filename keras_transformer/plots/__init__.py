"""Pictures, with matplotlib (extra `plots`): each function returns a `Figure`, none shows or saves it.

In a notebook `%matplotlib inline` shows what a cell returns; elsewhere
`figure.savefig("picture.png")` writes it.
"""

from keras_transformer.runs.extras import needed

needed("matplotlib", extra="plots")

from keras_transformer.plots.attention import alignment, attention  # noqa: E402
from keras_transformer.plots.beam_tree import beam_tree  # noqa: E402
from keras_transformer.plots.model import masks, positions  # noqa: E402
from keras_transformer.plots.training import learning_curve, schedule  # noqa: E402

__all__ = [
    "alignment",
    "attention",
    "beam_tree",
    "learning_curve",
    "masks",
    "positions",
    "schedule",
]
