"""The paper's recipe: schedule, loss, metrics, averaging, and `train`, which puts them together."""

from keras_transformer.training.averaging import average_weights
from keras_transformer.training.loss import LabelSmoothedCrossEntropy
from keras_transformer.training.metrics import Perplexity, TokenAccuracy, TokenCrossEntropy
from keras_transformer.training.schedule import WarmupSchedule, paper_adam
from keras_transformer.training.train import train

__all__ = [
    "LabelSmoothedCrossEntropy",
    "Perplexity",
    "TokenAccuracy",
    "TokenCrossEntropy",
    "WarmupSchedule",
    "average_weights",
    "paper_adam",
    "train",
]
