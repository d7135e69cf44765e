"""Rows that are packed with documents, for a language model."""

import math

import numpy as np

from ..config import expect
from .buckets import rows_per_bucket
from .documents import DocumentStore
from .planned import PlannedBatches


class PackedBatches(PlannedBatches):
    """Rows of one width that are full of documents, for Keras's `fit`.

    Item: `(token_ids (B, T), labels (B, T), weights (B, T))`. The documents of an epoch
    stand end to end, in an order of its own, `begin` before each and `end` among the
    labels after its last token, and this is cut into rows: only the last row has an
    end that is filled up, with weights of 0. What a cut separates goes on in another
    row, as a document without its begin token. Weights are as in `TokenBatches`.

    Pass it to `fit` with `shuffle=False`: it shuffles itself, differently in each
    epoch, as `seed` says.

    Args:
        store: a `DocumentStore`.
        special: the `SpecialTokens` of its tokenizer.
        width: T, tokens in a row.
        batch_tokens, seed, shuffle, accumulation, shard, passes: as for `TokenBatches`.

    Raises:
        ValueError: as `TokenBatches`.

    Examples:
        >>> tokenizer = Tokenizer.train(["ab ba", "ba ab"], vocab_size=9)
        >>> texts = ["ab", "ba ab"]
        >>> batches = PackedBatches.from_texts(texts, tokenizer, width=4)
        >>> token_ids, labels, weights = batches[0]
        >>> token_ids.shape, float(weights.sum())
        ((1024, 4), 1.0)
    """

    def __init__(
        self,
        store,
        special,
        width=128,
        batch_tokens=4096,
        seed=0,
        shuffle=True,
        accumulation=1,
        shard=(0, 1, 1),
        passes=1,
    ):
        expect(width >= 1, "width", "be at least 1", width)
        self.store = store
        self.special = special
        self.row_width = width
        super().__init__(batch_tokens, seed, shuffle, accumulation, shard, passes)

    @classmethod
    def from_texts(cls, texts, tokenizer, **kwargs):
        """Batches straight from an iterable of strings; `kwargs` as for the class."""
        store = DocumentStore.from_texts(texts, tokenizer)
        return cls(store, tokenizer.special, **kwargs)

    def _planned(self, epoch):
        random = np.random.default_rng([self.seed, epoch])
        sizes = self.store.lengths + 1
        order = np.arange(len(sizes))
        if self.shuffle:
            order = random.permutation(order)
        self._order = order
        self._ends = self._laid_out(sizes[order])
        rows = np.arange(math.ceil(self._ends[-1] / self.row_width))
        if self.shuffle:
            rows = random.permutation(rows)
        height = rows_per_bucket(self.row_width, self.batch_tokens)
        starts = range(0, len(rows), height)
        return [(self.row_width, rows[start : start + height]) for start in starts]

    def _laid_out(self, sizes):
        """Where documents of these sizes end, counted through all rows."""
        return np.cumsum(sizes)

    def _tokens(self, rows):
        left = self._ends[-1] - rows * self.row_width
        return np.minimum(left, self.row_width).sum()

    def _placed(self, rows):
        """The document at each place of some rows; its tokens before and behind that.

        Where none lies, one of the two numbers is negative.
        """
        places = rows[:, None] * self.row_width + np.arange(self.row_width)
        numbers = np.searchsorted(self._ends[:-1], places, side="right")
        documents = self._order[numbers]
        behind = self._ends[numbers] - 1 - places
        offsets = self.store.offsets
        sizes = offsets[documents + 1] - offsets[documents]
        return documents, sizes - behind, behind

    def _batch(self, width, rows, height, weight):
        store = self.store
        special = self.special
        count = len(rows)
        documents, inside, behind = self._placed(rows)
        is_real = (inside >= 0) & (behind >= 0)
        first = store.offsets[documents]
        before = store.ids.take(first + inside - 1, mode="clip").astype(np.int32)
        after = store.ids.take(first + inside, mode="clip").astype(np.int32)
        token_ids = np.full((height, width), special.end, np.int32)
        labels = np.full((height, width), special.pad, np.int32)
        weights = np.zeros((height, width), np.float32)
        read = np.where(inside == 0, special.begin, before)
        written = np.where(behind == 0, special.end, after)
        token_ids[:count] = np.where(is_real, read, special.end)
        labels[:count] = np.where(is_real, written, special.pad)
        weights[:count][is_real] = weight
        return token_ids, labels, weights


class WholeDocuments(PackedBatches):
    """Rows for an evaluation, which cut no document that fits into one.

    What does not fit into the rest of a row begins the next. So what a token is
    predicted from does not depend on the order of the documents.
    """

    def _laid_out(self, sizes):
        ends = []
        end = 0
        for size in sizes.tolist():
            rest = -end % self.row_width
            if size > rest:
                end += rest
            end += size
            ends.append(end)
        return np.array(ends)

    def _tokens(self, rows):
        _, inside, behind = self._placed(rows)
        return np.sum((inside >= 0) & (behind >= 0))
