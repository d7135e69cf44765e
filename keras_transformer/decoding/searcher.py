"""A search in compiled pieces, between which batches and caches change their size."""

import collections
import functools

import numpy as np
from keras import ops

from . import cache as caches
from .batching import LEFT, row_sizes
from .compiled import advancing, compiled, is_worth_compiling


class Searcher:
    """Searches batch by batch: from arrays of ids to those of hypotheses.

    The cache is short at first, and longer when the search gets there: most results are
    much shorter than the limit, and every step costs as much as the cache is long. Once
    the sentences that are not over fit into a smaller batch, they go on in it.

    Args:
        task: what is searched, such as a `TranslationSearch`: its `search`, `begin`
            and `lengths`.
        model: the model whose variables it reads.
        batch_size: of the largest batch.
    """

    def __init__(self, task, model, batch_size):
        self.task = task
        self._sizes = row_sizes(batch_size, LEFT)
        self._calls = collections.Counter()  # with arrays of these shapes
        self._begin = compiled(task.begin, model)
        self._advance = advancing(task.search, model)
        self._result = compiled(task.search.result)
        self._select = compiled(select)
        self._extend = functools.cache(extending)

    def __call__(self, *arrays):
        """Ids `(B, W, L)` and scores `(B, W)` of the hypotheses, in NumPy.

        Args:
            *arrays: those of the task's `begin`.
        """
        shapes = tuple(array.shape for array in arrays if array is not None)
        self._calls[shapes] += 1
        shrinks = is_worth_compiling(self._calls[shapes])
        lengths = iter(self.task.lengths(*arrays))
        length = next(lengths)
        request, state = self._begin(*arrays)
        found = []
        places = np.arange(len(arrays[0]))  # in the batch, of each sentence searched
        while True:
            smaller = [size for size in self._sizes if size < len(places)]
            fewer = max(smaller, default=0) if shrinks else 0
            state, live = self._advance(
                request, state, np.int32(length), np.int32(fewer)
            )
            is_live = ops.convert_to_numpy(live)
            number = is_live.sum()
            if number > fewer:
                length = next(lengths)
                state = self._extend(length)(state)
                continue
            self._note(found, places, state)
            if not number:
                return found
            size = next(size for size in self._sizes if size >= number)
            # Those that are over fill it up.
            chosen = np.argsort(~is_live, kind="stable")[:size].astype("int32")
            rows = ops.convert_to_tensor(chosen)
            request, state = self._select(request, state, rows)
            places = places[chosen]

    def _note(self, found, places, state):
        """Put the results of a state at their places in the arrays of all sentences.

        At first, with a state of all of them, `found` is empty.
        """
        parts = [ops.convert_to_numpy(part) for part in self._result(state)]
        if not found:
            found += [np.array(part) for part in parts]
            return
        for whole, part in zip(found, parts):
            whole[places] = part


def select(request, state, rows):
    """Some sentences of a search."""
    count = ops.shape(request.max_lengths)[0]
    return caches.select((request, state), rows, count)


def extending(length):
    """A compiled function that gives a state a cache of that length."""

    def extend(state):
        return state._replace(cache=caches.extend(state.cache, length))

    return compiled(extend)
