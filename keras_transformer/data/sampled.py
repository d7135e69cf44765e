"""Pairs that are cut into other tokens in each epoch: BPE-dropout."""

import math
import tempfile

import numpy as np

from ..text.bpe_dropout import BpeDropout
from .batches import TokenBatches
from .id_store import begin_side, write_rows
from .store import CHUNK, TokenStore


class SampledBatches(TokenBatches):
    """Batches whose words are cut into tokens anew in each epoch, by seed and epoch.

    By `BpeDropout` the model sees many spellings of a word. A sentence that would
    become longer than it may be keeps its usual tokens.

    All epochs have as many batches: one or two in a hundred more than are needed, for
    which the fullest ones are halved.

    Args:
        store: the pairs in their usual tokens.
        tokenizers: the `Tokenizer` of the source and that of the target, of BPE.
        bpe_dropout: the probability that a merge is left out.
        max_length: tokens of the longest sentence with what stands around it.
        batch_tokens, seed, **options: those of `TokenBatches`.

    Source: Provilkov et al. 2020.
    """

    def __init__(
        self,
        store,
        tokenizers,
        bpe_dropout,
        max_length,
        batch_tokens=4096,
        seed=0,
        **options,
    ):
        self.usual = store
        self.cutters = [BpeDropout(one, bpe_dropout) for one in tokenizers]
        # Not that of each epoch: it is the width of batches, which are compiled.
        self.longest = max_length
        self._sampled = None  # the epoch
        self._count = None  # of batches in an epoch
        super().__init__(store, batch_tokens, seed, **options)

    def _planned(self, epoch):
        if epoch != self._sampled:
            store = cut_anew(self, [self.seed, epoch])
            self._take(store)
            self._sampled = epoch
        plan = super()._planned(epoch)
        if self._count is None:
            widths = {width for width, _ in plan}
            spare = math.ceil(len(plan) / 50) + len(widths)
            self._count = min(len(plan) + spare, len(self.usual))
        if len(plan) > self._count:
            self._take(self.usual)
            plan = super()._planned(epoch)
        return filled_up(plan, self._count)


def cut_anew(batches, seed):
    """The `TokenStore` of the pairs of `SampledBatches`, cut anew, in constant memory.

    Its files are temporary, and are deleted with it.
    """
    store = batches.usual
    layout = batches.sentence_format
    around = (layout.around_source, layout.around_labels)
    arrays = []
    for side, cutter in enumerate(batches.cutters):
        files = [tempfile.TemporaryFile() for _ in range(2)]
        longest = batches.longest - around[side]
        end = begin_side(files)
        for first in range(0, len(store), CHUNK):
            rows = range(first, min(first + CHUNK, len(store)))
            usual = store.sentences(rows)[side]
            cut = cutter(usual, f"{seed} {side} {first}")
            for row, ids in enumerate(usual):
                if len(cut[row]) > longest:
                    cut[row] = ids
            end = write_rows(files, cut, end, store.dtype)
        for file, kind in zip(files, (store.dtype, np.int64)):
            file.flush()
            arrays.append(np.memmap(file, kind, "r"))
    return TokenStore(arrays, store.report)


def filled_up(plan, count):
    """So many batches of a plan: the fullest are halved."""
    while len(plan) < count:
        sizes = [len(rows) for _, rows in plan]
        fullest = int(np.argmax(sizes))
        width, rows = plan[fullest]
        half = len(rows) // 2
        plan[fullest] = (width, rows[:half])
        plan.append((width, rows[half:]))
    return plan
