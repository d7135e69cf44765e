"""What a model says of sentences and translations that are given, in ids."""

import functools

from keras import ops

from . import attention
from .batching import batches, pad
from .compiled import COMPUTING, compiled
from .coverage import coverage
from .log_probs import translation_log_probs


class PairReader:
    """Reads pairs with a `Transformer` or an `Ensemble`, in batches of few shapes.

    Sources are ids in their format; labels are those that the decoder writes.

    Args:
        model: the model.
        sentence_format: the `SentenceFormat` of its pairs.
        batch_size: the most pairs in a batch.
        longest: the most tokens of a sentence.
    """

    def __init__(self, model, sentence_format, batch_size, longest):
        def with_model(function):
            return compiled(functools.partial(function, model), model)

        self._format = sentence_format
        self._batch_size = batch_size
        self._longest = longest
        self._log_probs = with_model(translation_log_probs)
        self._coverage = with_model(coverage)
        self._alignments = with_model(attention.aligning)
        self._attention = with_model(attention.weights_of)

    def log_probs(self, sources, labels):
        """The log-probability of each label, those of padding behind them."""
        return self._of_pairs(self._log_probs, sources, labels, reads_labels=True)

    def coverage(self, sources, labels):
        """The `coverage` of each source."""
        return self._of_pairs(self._coverage, sources, labels, reads_labels=True)

    def alignments(self, sources, labels):
        """The weights of `aligning` of each pair, padding behind them."""
        return self._of_pairs(self._alignments, sources, labels)

    def attention(self, source, labels):
        """The weights of encoder, decoder and between them, of one pair as it is."""
        ((_, arrays),) = self._batches([source], [labels])
        with COMPUTING:
            found = self._attention(*arrays[:2])
        encoder, decoder, cross = map(ops.convert_to_numpy, found)
        read = len(source)
        written = len(labels)
        return (
            encoder[:, 0, :, :read, :read],
            decoder[:, 0, :, :written, :written],
            cross[:, 0, :, :written, :read],
        )

    def _of_pairs(self, function, sources, labels, reads_labels=False):
        """What a function of sources, inputs and perhaps labels gives for each pair."""
        found = [None] * len(sources)
        for batch, arrays in self._batches(sources, labels):
            read = arrays if reads_labels else arrays[:2]
            with COMPUTING:
                values = ops.convert_to_numpy(function(*read))
            for n, value in zip(batch, values, strict=False):
                found[n] = value
        return found

    def _batches(self, sources, labels):
        """Batches of pairs: indices, and arrays of sources, inputs, labels."""
        special = self._format.special
        inputs = [self._format.target(own) for own in labels]
        lengths = [max(map(len, pair)) for pair in zip(sources, inputs, strict=True)]
        sides = ((sources, [special.end]), (inputs, [special.begin]), (labels, ()))
        for batch, rows, width in batches(lengths, self._batch_size, self._longest):
            arrays = []
            for side, filler in sides:
                own = [side[n] for n in batch]
                array = pad(own, rows, width, special.pad, filler)
                arrays.append(ops.convert_to_tensor(array))
            yield batch, arrays
