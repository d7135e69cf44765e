"""Token ids to batches: shuffle, bucket, pad, shift, weigh."""

import numpy as np

from ..config import expect, expect_share
from ..text.sentence_format import SentenceFormat
from ..text.special_tokens import NO_TOKEN
from .buckets import bucket_edges, cut
from .planned import PlannedBatches
from .store import TokenStore


def batch_plan(lengths, batch_tokens, seed=0, epoch=0, shuffle=True, longest=None):
    """What each batch of an epoch holds: a list of (edge, rows).

    It is a pure function of its arguments.

    Args:
        lengths: `(n, 2)` tokens of each pair, end included and begin not.
        batch_tokens: target tokens of a batch, padding included.
        seed, epoch: choose the order; no effect without `shuffle`.
        shuffle: otherwise sorted by length.
        longest: the widest batch; the longest pair when absent.
    """
    widths = lengths.max(axis=1)
    edges = bucket_edges(longest or int(widths.max()))
    random = np.random.default_rng([seed, epoch])
    if shuffle:
        order = random.permutation(np.arange(len(widths), dtype=np.int32))
    else:
        order = np.lexsort(lengths.T)
    batches = cut(order, widths, edges, batch_tokens)
    if shuffle:
        batches = [batches[i] for i in random.permutation(len(batches))]
    # Keras under TensorFlow takes the shapes of the whole epoch from the first two
    # batches and holds fixed what they have in common, so these two must differ.
    taken = np.array([edge for edge, _ in batches])
    others = np.flatnonzero(taken != taken[0])
    if len(others):
        batches.insert(1, batches.pop(others[0]))
    return batches


class TokenBatches(PlannedBatches):
    """Batches of about equally long pairs, in few fixed shapes, for Keras's `fit`.

    Item: `({"source_ids": (B, S), "target_ids": (B, T)}, labels (B, T), weights (B,
    T))`, ids int32, weights float32, S = T = the bucket's width. Source and labels end
    with the end token, target ids begin with the begin token, all are right-padded.
    `weights = real / (real target tokens of the batch)`, so that a sum over loss times
    weights is the mean over real tokens; under accumulation `real * n / (real target
    tokens of the n batches of one update)`. What does not fill a batch is completed by
    rows of weight 0.

    Pass it to `fit` with `shuffle=False`: it shuffles itself, differently in each
    epoch, as `seed` says.

    Args:
        store: the pairs.
        batch_tokens: target tokens of a batch, padding included.
        seed: of the order of the pairs.
        shuffle: otherwise the pairs are sorted by length, the same in each epoch.
        accumulation: number of batches summed into one update. The last update of an
            epoch has those that are left: see `GradientTransform.epoch_batches`.
        shard: `(process, processes, devices)`: of each batch, give this process its
            rows, every `processes`-th, and fill them up to a multiple of its `devices`.
            The weights stay shares of the whole batch.
        passes: how often each row stands in its batch, one beside the other; they share
            its weight, and `batch_tokens` counts it once. 2 for `RDropCrossEntropy`.
        sentence_format: the `SentenceFormat` of the tokenizers that made the ids; our
            own tokenizers' when absent.
        word_dropout: the share of the tokens of both inputs that become the unknown
            one, by seed, epoch and batch. Labels and what stands around a text stay.

    Attributes:
        epoch: the epoch of the current plan, from 0; counts on when all its batches
            were read, and may be set.
        first: the batch that is item 0, the others follow in a circle; 0 unless set,
            and again in the next epoch.

    Raises:
        ValueError: if `batch_tokens` or `accumulation` is below 1, `seed` or `epoch` is
            below 0, `shard` is none, or `word_dropout` no share.

    Examples:
        >>> tokenizer = Tokenizer.train(["ab ba", "ba ab"], vocab_size=9)
        >>> lines = ["ab", "ba ab"], ["ba", "ab"]
        >>> batches = TokenBatches.from_lines(*lines, tokenizer, batch_tokens=40)
        >>> inputs, labels, weights = batches[0]
        >>> len(batches), inputs["source_ids"].shape, float(weights.sum())
        (1, (8, 5), 1.0)

    Source: Vaswani et al. 2017, section 5.1.
    """

    longest = None  # the widest batch; the longest pair when absent

    def __init__(
        self,
        store,
        batch_tokens=4096,
        seed=0,
        shuffle=True,
        accumulation=1,
        shard=(0, 1, 1),
        passes=1,
        sentence_format=None,
        word_dropout=0.0,
    ):
        self.sentence_format = sentence_format or SentenceFormat()
        self.word_dropout = word_dropout
        has_unknown = self.sentence_format.special.unknown != NO_TOKEN
        expect_share("word_dropout", word_dropout)
        must = "be 0 with a tokenizer that has no unknown token"
        expect(has_unknown or not word_dropout, "word_dropout", must, word_dropout)
        self._take(store)
        super().__init__(batch_tokens, seed, shuffle, accumulation, shard, passes)

    @classmethod
    def from_lines(cls, source_lines, target_lines, *tokenizers, config=None, **kwargs):
        """Batches straight from sentences and their translations.

        `.store.report` tells what the filters dropped.

        Args:
            source_lines, target_lines: two iterables of strings, each read once.
            *tokenizers: of the source and of the target, or one for both.
            config: the filters' limits; `DataConfig()` when absent.
            **kwargs: those of the class.
        """
        store = TokenStore.from_lines(
            source_lines, target_lines, *tokenizers, config=config
        )
        return cls(store, sentence_format=SentenceFormat.of(*tokenizers), **kwargs)

    def _take(self, store):
        """Make batches of this store from now on."""
        layout = self.sentence_format
        around = (layout.around_source, layout.around_labels)
        self.store = store
        lengths = store.lengths
        kind = np.min_scalar_type(int(lengths.max()) + max(around))
        self._lengths = lengths.astype(kind, copy=False) + np.array(around, kind)

    def _planned(self, epoch):
        return batch_plan(
            self._lengths,
            self.batch_tokens,
            self.seed,
            epoch,
            self.shuffle,
            self.longest,
        )

    def _tokens(self, rows):
        return self._lengths[rows, 1].sum()

    def _noised(self, batch, index, count):
        if not self.word_dropout:
            return batch
        inputs, labels, weights = batch
        layout = self.sentence_format
        special = layout.special
        kept = [special.pad, special.begin, special.end]
        kept += [*layout.source_prefix, *layout.source_suffix, *layout.target_prefix]
        random = np.random.default_rng([self.seed, self.epoch, index])
        process, processes, _ = self.shard
        noised = {}
        for name, ids in inputs.items():
            # Of all rows, so that it is the same for any number of processes.
            is_chosen = random.random((count, ids.shape[1])) < self.word_dropout
            own = is_chosen[process::processes]
            is_dropped = np.zeros(ids.shape, bool)
            is_dropped[: len(own)] = own
            is_dropped &= ~np.isin(ids, kept)
            noised[name] = np.where(is_dropped, np.int32(special.unknown), ids)
        return noised, labels, weights

    def _batch(self, edge, rows, height, weight):
        count = len(rows)
        layout = self.sentence_format
        special = layout.special
        shape = (3, height, edge)
        source_ids, target_ids, labels = np.full(shape, special.pad, np.int32)
        weights = np.zeros((height, edge), np.float32)
        texts = self.store.padded(rows, edge, special.pad)
        prefixes = (layout.source_prefix, layout.target_prefix)
        for array, text, prefix in zip((source_ids, labels), texts, prefixes):
            array[:count, : len(prefix)] = prefix
            array[:count, len(prefix) :] = text[:, : edge - len(prefix)]
        each = np.arange(count)
        source_ends, target_ends = self._lengths[rows].T - 1
        for place, token in enumerate(reversed(layout.source_suffix)):
            source_ids[each, source_ends - place] = token
        # The decoder reads the text without the end token, one position later.
        target_ids[:, 0] = special.begin
        target_ids[:count, 1:] = labels[:count, :-1]
        labels[each, target_ends] = special.end
        real = np.arange(edge) <= target_ends[:, None]
        weights[:count][real] = weight
        # A filler row attends to one token: attention to none may be NaN.
        source_ids[count:, 0] = special.end
        return {"source_ids": source_ids, "target_ids": target_ids}, labels, weights
