"""How good translations are: sacreBLEU's BLEU and chrF, after training and during it."""

from keras_transformer.evaluation.callback import BleuCallback
from keras_transformer.evaluation.evaluate import Evaluation, evaluate
from keras_transformer.evaluation.scores import Scores, corpus_scores

__all__ = ["BleuCallback", "Evaluation", "Scores", "corpus_scores", "evaluate"]
