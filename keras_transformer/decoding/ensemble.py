"""Several models that translate together."""

import math

from keras import ops

from ..config import expect
from ..text.sentence_format import SentenceFormat


class Ensemble:
    """Transformers of one vocabulary, whose probabilities are averaged at each token.

        p(y) = 1/K sum_k p_k(y)

    It has of a `Transformer` what a search and a score need; its logits are
    log-probabilities.

    Args:
        models: the K models; they may be of any sizes.

    Raises:
        ValueError: if there is none, or their vocabularies or special ids differ.

    Examples:
        >>> config = preset("tiny", source_vocab_size=11, target_vocab_size=11)
        >>> both = Ensemble([Transformer(config), Transformer(config)])
        >>> inputs = {"source_ids": np.ones((2, 3)), "target_ids": np.ones((2, 5))}
        >>> both(inputs).shape == (2, 5, 11)
        True

    Source: Sutskever et al. 2014, section 3.6; Sennrich et al. 2016 (WMT16).
    """

    def __init__(self, models):
        expect(models, "models", "be at least one", models)
        self.models = models
        # No position is beyond what each model has.
        self.config = min((model.config for model in models), key=positions_of)
        kinds = {vocabulary_of(model.config) for model in models}
        must = "have one vocabulary, with the same special ids"
        expect(len(kinds) == 1, "models", must, sorted(map(str, kinds)))

    @property
    def variables(self):
        """Those of all models."""
        return [one for model in self.models for one in model.variables]

    @property
    def weights(self):
        """Those of all models."""
        return [one for model in self.models for one in model.weights]

    @property
    def decoder(self):
        """This object, which has `step` and the caches."""
        return self

    def encoder(self, source_ids, source_mask):
        """The memory of each model."""
        return tuple(model.encoder(source_ids, source_mask) for model in self.models)

    def cross_cache(self, memories):
        """The keys and values of the memory in each decoder."""
        pairs = zip(self.models, memories, strict=True)
        return tuple(model.decoder.cross_cache(memory) for model, memory in pairs)

    def empty_cache(self, rows, length):
        """The empty cache of each decoder."""
        return tuple(model.decoder.empty_cache(rows, length) for model in self.models)

    def step(self, ids, cache, index, cross_caches, source_mask):
        """As `Decoder.step`: the log-probabilities, and the caches after it."""
        found = []
        caches = []
        for model, own, cross in zip(self.models, cache, cross_caches, strict=True):
            logits, own = model.decoder.step(ids, own, index, cross, source_mask)
            found.append(logits)
            caches.append(own)
        return log_of_mean(found), tuple(caches)

    def __call__(self, inputs, training=False):
        """The log-probabilities `(B, T, V)`, as a `Transformer` gives logits."""
        return log_of_mean([model(inputs, training=training) for model in self.models])


def positions_of(config):
    """The most positions that a model has."""
    return config.longest or math.inf


def vocabulary_of(config):
    """The vocabulary sizes and special ids of a model."""
    return (config.source_vocab_size, config.target_vocab_size, config.special)


def log_of_mean(logits):
    """The logarithm of the mean of the probabilities of several logits."""
    each = [ops.log_softmax(ops.cast(own, "float32"), axis=-1) for own in logits]
    return ops.logsumexp(ops.stack(each), axis=0) - math.log(len(each))


def model_of_runs(runs, dtype=None):
    """The `Transformer` of a list of one `Run`, or the `Ensemble` of several.

    `dtype` is a Keras dtype policy: of each the one it was trained in when absent.

    Raises:
        ValueError: if the runs cannot translate together.
    """
    check_together(runs)
    models = [run.model(dtype) for run in runs]
    return Ensemble(models) if len(models) > 1 else models[0]


def check_together(runs):
    """Raise a `ValueError` if some `Run`s cannot translate together.

    There is none, one holds no translation model, or their tokenizers differ.
    """
    expect(runs, "run", "be a directory, or several", runs)
    first, *others = runs
    for run in runs:
        run.check_kind(is_language_model=False)
    for run in others:
        must = f"have the tokenizers of {str(first.path)!r}"
        is_right = same_tokenizers(first.tokenizers, run.tokenizers)
        expect(is_right, "runs", must, str(run.path))


def same_tokenizers(some, others):
    """Whether two pairs of tokenizers make the same ids of all text."""
    pairs = list(zip(some, others, strict=True))
    same_pieces = all(mine.pieces == theirs.pieces for mine, theirs in pairs)
    same_markup = all(mine.markup == theirs.markup for mine, theirs in pairs)
    same_format = SentenceFormat.of(*some) == SentenceFormat.of(*others)
    return same_pieces and same_markup and same_format


def check_is_one(model):
    """Raise a `ValueError` for an ensemble, whose models look at different words."""
    is_one = not isinstance(model, Ensemble)
    must = "be one, where attention is asked for"
    expect(is_one, "the runs of a translator", must, "an ensemble")
