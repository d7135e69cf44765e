"""Batches that are planned for a whole epoch, by seed and epoch alone."""

import math

import keras
import numpy as np

from ..config import expect
from .buckets import rows_per_bucket


class PlannedBatches(keras.utils.PyDataset):
    """The order, the shares and the weights of batches, for Keras's `fit`.

    A subclass gives `_planned(epoch)`, a list of `(width, rows)`; `_tokens(rows)`, the
    real target tokens of such rows; and `_batch(width, rows, height, weight)`, the
    arrays of some of them, filled up to `height` rows of weight 0.

    Arguments and attributes are those of `TokenBatches`.
    """

    def __init__(self, batch_tokens, seed, shuffle, accumulation, shard, passes=1):
        super().__init__()
        _check("passes", passes, least=1)
        _check("batch_tokens", batch_tokens, least=1)
        _check("accumulation", accumulation, least=1)
        _check("seed", seed, least=0)
        process, processes, devices = shard
        is_shard = 0 <= process < processes and devices >= 1
        expect(is_shard, "shard", "be a process of processes, and devices", shard)
        self.shard = shard
        self.batch_tokens = batch_tokens
        self.seed = seed
        self.shuffle = shuffle
        self.accumulation = accumulation
        self.passes = passes
        self.epoch = 0

    @property
    def epoch(self):
        return self._epoch

    @epoch.setter
    def epoch(self, epoch):
        _check("epoch", epoch, least=0)
        self._epoch = epoch
        self._plan = ()  # that of the epoch before makes room
        self._plan = self._planned(epoch)
        tokens = np.array([self._tokens(rows) for _, rows in self._plan])
        update = np.arange(len(tokens)) // self.accumulation
        mean_tokens = np.bincount(update, tokens) / np.bincount(update)
        self._weights = 1 / mean_tokens[update]
        # As in `batch_plan`, the first two batches must differ. If they differ in width
        # alone, more rows of weight 0 make the first differ in rows as well.
        first, *others = [self._rows(width) for width, _ in self._plan]
        self._first_is_longer = others[:1] == [first] and {*others} != {first}
        self._read_to_end = False
        self.first = 0

    def _rows(self, width):
        """This process's rows of a batch of that width."""
        _, processes, devices = self.shard
        rows = rows_per_bucket(width, self.batch_tokens)
        return math.ceil(rows / (processes * devices)) * devices

    def on_epoch_end(self):
        # Keras calls this once more when `fit` and `evaluate` begin, after a look at
        # the first batches.
        if self._read_to_end and self.shuffle:
            self.epoch += 1

    def __len__(self):
        return len(self._plan)

    def width(self, number):
        """The width of a batch, by its number in the epoch."""
        return self._plan[number][0]

    def __getitem__(self, index):
        if index == len(self) - 1:
            self._read_to_end = True
        index = (index + self.first) % len(self)
        width, rows = self._plan[index]
        process, processes, devices = self.shard
        height = self._rows(width)
        if index == 0 and self._first_is_longer:
            height += devices
        own = rows[process::processes]
        weight = self._weights[index] / self.passes
        batch = self._batch(width, own, height, weight)
        batch = self._noised(batch, index, len(rows))
        return keras.tree.map_structure(self._repeated, batch)

    def _noised(self, batch, index, count):
        """The arrays of a batch of `count` rows in all processes, with noise if any."""
        return batch

    def _repeated(self, array):
        return np.repeat(array, self.passes, axis=0)


def _check(name, value, least):
    is_enough = type(value) is int and value >= least
    expect(is_enough, name, f"be an integer of at least {least}", value)
