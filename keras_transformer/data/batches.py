"""Token ids to batches: shuffle, bucket, pad, shift, weigh."""

import keras
import numpy as np

from keras_transformer.config import DataConfig
from keras_transformer.data.buckets import bucket_edges, cut, rows_per_bucket
from keras_transformer.data.store import TokenStore
from keras_transformer.text.sentence_format import SentenceFormat
from keras_transformer.text.tokenizer import Tokenizer


def batch_plan(lengths, batch_tokens, seed=0, epoch=0, shuffle=True, accumulation=1):
    """What each batch of an epoch holds: a list of (edge, rows). A pure function of its arguments.

    Args:
        lengths: `(n, 2)` tokens of each pair, end included and begin not.
        batch_tokens: target tokens of a batch, padding included.
        seed, epoch: choose the order; no effect without `shuffle`.
        shuffle: otherwise sorted by length.
        accumulation: the number of batches is made a multiple of this by batches
            without rows at the end.
    """
    widths = lengths.max(axis=1)
    edges = bucket_edges(int(widths.max()))
    if shuffle:
        random = np.random.default_rng([seed, epoch])
        batches = cut(random.permutation(len(widths)), widths, edges, batch_tokens)
        batches = [batches[i] for i in random.permutation(len(batches))]
    else:
        batches = cut(np.lexsort(lengths.T), widths, edges, batch_tokens)
    # Keras under TensorFlow takes the shapes of the whole epoch from the first two
    # batches and holds fixed what they have in common. Rows first: batches of other
    # rows have another width too.
    shapes = [(rows_per_bucket(edge, batch_tokens), edge) for edge, _ in batches]
    for axis in (0, 1):
        other = next(
            (i for i, shape in enumerate(shapes) if shape[axis] != shapes[0][axis]),
            None,
        )
        if other is not None:
            batches.insert(1, batches.pop(other))
            break
    smallest = min(edge for edge, _ in batches)
    return batches + [(smallest, np.empty(0, np.int64))] * (
        -len(batches) % accumulation
    )


class TokenBatches(keras.utils.PyDataset):
    """Batches of about equally long pairs, in few fixed shapes, for `fit` and `evaluate`.

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
        accumulation: number of batches summed into one update; the epoch's number of
            batches is a multiple of it.
        shard: `(process, processes, devices)`: of each batch, give this process its
            rows, every `processes`-th, and fill them up to a multiple of its `devices`.
            The weights stay shares of the whole batch.
        sentence_format: the `SentenceFormat` of the tokenizers that made the ids; our own tokenizers' when
            absent.

    Attributes:
        epoch: the epoch of the current plan, from 0; counts on when all its batches
            were read, and may be set.
        first: the batch that is item 0, the others follow in a circle; 0 unless set,
            and again in the next epoch.

    Raises:
        ValueError: if `batch_tokens` or `accumulation` is below 1, or `seed` or `epoch`
            below 0, or `shard` is none.

    Example:
        >>> tokenizer = Tokenizer.train(["ab ba", "ba ab"], vocab_size=9)
        >>> batches = TokenBatches.from_lines(["ab", "ba ab"], ["ba", "ab"], tokenizer, batch_tokens=40)
        >>> inputs, labels, weights = batches[0]
        >>> len(batches), inputs["source_ids"].shape, float(weights.sum())
        (1, (8, 5), 1.0)

    Source: Vaswani et al. 2017, section 5.1.
    """

    def __init__(
        self,
        store: TokenStore,
        batch_tokens=4096,
        seed=0,
        shuffle=True,
        accumulation=1,
        shard=(0, 1, 1),
        sentence_format: SentenceFormat | None = None,
    ):
        super().__init__()
        for name, value in (
            ("batch_tokens", batch_tokens),
            ("accumulation", accumulation),
        ):
            _check(name, value, least=1)
        _check("seed", seed, least=0)
        process, processes, devices = shard
        if not 0 <= process < processes or devices < 1:
            raise ValueError(
                f"shard must be a process below processes, and at least 1 device; received {shard}"
            )
        self.shard = shard
        self.store = store
        self.batch_tokens = batch_tokens
        self.seed = seed
        self.shuffle = shuffle
        self.accumulation = accumulation
        self.sentence_format = sentence_format or SentenceFormat()
        self._lengths = store.lengths + np.int32(
            [self.sentence_format.around_source, self.sentence_format.around_labels]
        )
        self.epoch = 0

    @classmethod
    def from_lines(
        cls,
        source_lines: list[str],
        target_lines: list[str],
        tokenizer: Tokenizer,
        target_tokenizer: Tokenizer | None = None,
        config: DataConfig | None = None,
        **kwargs,
    ) -> "TokenBatches":
        """Batches straight from two lists of sentences; `.store.report` tells what the filters dropped.

        Args:
            source_lines, target_lines: sentences and their translations.
            tokenizer: of the source, and of the target unless `target_tokenizer` is
                given.
            config: the filters' limits; `DataConfig()` when absent.
            **kwargs: those of the class.
        """
        store, _ = TokenStore.from_lines(
            source_lines, target_lines, tokenizer, target_tokenizer, config
        )
        return cls(
            store,
            sentence_format=SentenceFormat.of(tokenizer, target_tokenizer),
            **kwargs,
        )

    @property
    def epoch(self):
        return self._epoch

    @epoch.setter
    def epoch(self, epoch):
        _check("epoch", epoch, least=0)
        self._epoch = epoch
        options = (self.batch_tokens, self.seed, epoch, self.shuffle, self.accumulation)
        self._plan = batch_plan(self._lengths, *options)
        tokens = np.array([self._lengths[rows, 1].sum() for _, rows in self._plan])
        groups = tokens.reshape(-1, self.accumulation).sum(axis=1)
        self._weights = np.repeat(self.accumulation / groups, self.accumulation)
        counts = [self._rows(edge) for edge, _ in self._plan]
        # See `batch_plan`: of what differed, the share may be equal. One more row of
        # weight 0 makes it differ again.
        self._first_is_longer = (
            counts[0] == counts[min(1, len(counts) - 1)] and len({*counts}) > 1
        )
        self._read_to_end = False
        self.first = 0

    def _rows(self, edge):
        """This process's rows of a batch of that width."""
        _, processes, devices = self.shard
        return (
            -(-rows_per_bucket(edge, self.batch_tokens) // (processes * devices))
            * devices
        )

    def on_epoch_end(self):
        # Keras calls this once more when `fit` and `evaluate` begin, after a look at
        # the first batches.
        if self._read_to_end and self.shuffle:
            self.epoch += 1

    def __len__(self):
        return len(self._plan)

    def __getitem__(self, index):
        self._read_to_end |= index == len(self) - 1
        index = (index + self.first) % len(self)
        edge, rows = self._plan[index]
        process, processes, devices = self.shard
        rows = rows[process::processes]
        shape = (
            self._rows(edge) + (devices if index == 0 and self._first_is_longer else 0),
            edge,
        )
        sentence_format, count = self.sentence_format, len(rows)
        source_ids, target_ids, labels = (
            np.full(shape, sentence_format.special.pad, np.int32) for _ in range(3)
        )
        weights = np.zeros(shape, np.float32)
        texts, lengths = (
            self.store.padded(rows, edge, sentence_format.special.pad),
            self._lengths[rows],
        )
        for array, text, before in zip(
            (source_ids, labels),
            texts,
            (sentence_format.source_prefix, sentence_format.target_prefix),
        ):
            array[:count, : len(before)] = before
            array[:count, len(before) :] = text[:, : edge - len(before)]
        target_ids[:count, 1:] = labels[:count, :-1]
        target_ids[:, 0] = sentence_format.special.begin
        labels[np.arange(count), lengths[:, 1] - 1] = sentence_format.special.end
        for place, token in enumerate(reversed(sentence_format.source_suffix), start=1):
            source_ids[np.arange(count), lengths[:, 0] - place] = token
        weights[:count][np.arange(edge) < lengths[:, 1:]] = self._weights[index]
        # A filler row attends to one token: attention to none may be NaN.
        source_ids[count:, 0] = sentence_format.special.end
        return {"source_ids": source_ids, "target_ids": target_ids}, labels, weights


def _check(name, value, least):
    if not isinstance(value, int) or value < least:
        raise ValueError(
            f"{name} must be an integer of at least {least}; received {value!r}"
        )
