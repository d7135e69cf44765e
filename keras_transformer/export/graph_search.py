"""The search of a SavedModel: a TensorFlow graph, or compiled by XLA."""

import functools
import itertools
from typing import Any, NamedTuple

import tensorflow as tf
from keras import ops

from ..decoding import cache as caches
from ..decoding.batching import LEFT
from ..decoding.loop import advance_until, live_sentences
from ..decoding.search import Request
from ..decoding.translation_search import cache_lengths

# Rows of what is left of a batch, when others are over.
SIZES = (*LEFT, *(2**n for n in range(6, 16)))
# What arrays are padded to for XLA. Each shape takes seconds to compile, so they are
# few.
ROWS = (1, 8, 32)
WIDTHS = (16, 32, 64)


class Going(NamedTuple):
    """The sentences that a search goes on with."""

    request: dict  # the fields of the `Request` that are not None
    state: Any  # of the search
    places: Any  # in the whole batch, of each sentence


class GraphSearch:
    """`search(source_ids, limits) -> (ids (B, W, L), scores (B, W))`, as a graph.

    It goes as `Searcher` does: the cache grows with the translations, and once the
    sentences that are not over fit into a smaller batch, they go on in it.

    Args:
        task: a `TranslationSearch`.
        lengths: of the cache, increasing; the last is the longest translation.
        sizes: how many rows a smaller batch may have, increasing.
    """

    def __init__(self, task, lengths, sizes=SIZES):
        self.lengths = lengths
        self.sizes = sizes
        self.search = task.search
        self.begin = functools.partial(task.begin, lengths=lengths)
        self.advance = functools.partial(advance_until, self.search)

    def __call__(self, source_ids, limits):
        request, state = self.begin(source_ids, limits)
        fields = request._asdict().items()
        request = {name: value for name, value in fields if value is not None}
        going = Going(request, state, places=tf.range(tf.size(limits)))
        return self.searched(self.lengths, going, self.search.result(state))

    def searched(self, lengths, going, found):
        """What is found once the cache has had all these lengths, or all is over."""
        going, found = self.up_to(lengths[0], going, found)
        if len(lengths) == 1:
            return found

        def with_more_room():
            cache = caches.extend(going.state.cache, lengths[1])
            longer = going._replace(state=going.state._replace(cache=cache))
            return self.searched(lengths[1:], longer, found)

        def as_it_is():
            return found

        is_live = tf.reduce_any(self.search.live(going.state))
        return tf.cond(is_live, with_more_room, as_it_is)

    def up_to(self, length, going, found):
        """Goes on until all sentences are over, or have that many tokens."""

        def has_shrunk(shrunk, going, found):
            return shrunk

        def advance(shrunk, going, found):
            request = Request(**going.request)
            below = tf.searchsorted(self.sizes, [tf.size(going.places)])[0]
            fewer = tf.gather((0, *self.sizes), below)
            state, live = self.advance(request, going.state, length, fewer)
            found = placed(found, going.places, self.search.result(state))
            going = going._replace(state=state)
            number = tf.math.count_nonzero(live, dtype=tf.int32)
            shrinks = (number > 0) & (number <= fewer)

            def smaller():
                above = tf.searchsorted(self.sizes, [number])[0]
                # Those that are over fill it up.
                rows = tf.argsort(tf.cast(~live, tf.int32), stable=True)
                rows = rows[: tf.gather(self.sizes, above)]
                return caches.select(going, rows, tf.size(live))

            def as_it_is():
                return going

            return shrinks, tf.cond(shrinks, smaller, as_it_is), found

        begun = (tf.constant(True), going, found)
        shapes = tf.nest.map_structure(any_rows, begun)
        return tf.while_loop(has_shrunk, advance, begun, shapes)[1:]


class PaddedSearch(GraphSearch):
    """The search for arrays of up to a width, compiled by XLA for each of `ROWS`.

    Args:
        task: a `TranslationSearch`.
        width: what arrays are padded to.
    """

    def __init__(self, task, width):
        lengths = cache_lengths(width, task.config, task.model.config.longest)
        super().__init__(task, lengths[-1:], ROWS)
        self.width = width
        self.pad = task.model.config.special.pad
        advance = functools.partial(advance_in_stages, self.search, lengths)
        compiled = functools.partial(tf.function, autograph=False, jit_compile=True)
        self.begin = compiled(self.begin)
        self.advance = compiled(advance)

    def __call__(self, source_ids, limits):
        """As `GraphSearch`, of arrays with as many rows as the next of `ROWS`.

        A row that is added has a limit of 0: the search skips it.
        """
        rows, width = tf.unstack(tf.shape(source_ids))
        wanted = tf.gather(ROWS, tf.searchsorted(ROWS, [rows])[0])
        missing = wanted - rows
        edges = [[0, missing], [0, self.width - width]]
        source_ids = tf.pad(source_ids, edges, constant_values=self.pad)
        source_ids = tf.ensure_shape(source_ids, (None, self.width))
        return super().__call__(source_ids, tf.pad(limits, [[0, missing]]))


def any_rows(tensor):
    """The shape of a tensor whose rows may become fewer."""
    if tensor.shape.rank == 0:
        return tensor.shape
    return tf.TensorShape((None, *tensor.shape[1:]))


def placed(found, places, parts):
    """What is found, with parts of it anew."""
    indices = tf.expand_dims(places, 1)
    return tuple(
        tf.tensor_scatter_nd_update(whole, indices, part)
        for whole, part in zip(found, parts, strict=True)
    )


def search_by_xla(task, widths, otherwise):
    """`search(source_ids, limits)` that XLA compiles for arrays of a few shapes.

    Args:
        task: a `TranslationSearch`.
        widths: increasing, those of `widths_up_to`.
        otherwise: the search for arrays that are larger than `ROWS` or `widths`.
    """
    searches = [PaddedSearch(task, width) for width in widths]
    searches.append(otherwise)

    def search(source_ids, limits):
        ways = [functools.partial(way, source_ids, limits) for way in searches]
        rows, width = tf.unstack(tf.shape(source_ids))
        fitting = tf.searchsorted(widths, [width])[0]
        chosen = tf.where(rows > ROWS[-1], len(widths), fitting)
        ids, scores = tf.switch_case(chosen, ways)
        return ids[:rows], scores[:rows]

    return search


def widths_up_to(longest):
    """Those of `WIDTHS` that arrays of up to that width are padded to."""
    return sorted({min(width, longest) for width in WIDTHS})


def advance_in_stages(search, lengths, request, state, length, fewer):
    """`advance_until` that reads no more of a cache than is filled, roughly.

    So one compiled program does for all `lengths`.
    """
    for stage in lengths:
        state = advance_on_short_cache(search, request, state, stage, fewer, length)
    return state, search.live(state)


def advance_on_short_cache(search, request, state, short, fewer, whole):
    """The state, advanced with a cache of `short` positions instead of `whole`."""

    def advanced():
        begun = state._replace(cache=caches.shorten(state.cache, short))
        ended, _ = advance_until(search, request, begun, short, fewer)
        return ended._replace(cache=caches.extend(ended.cache, whole))

    def as_it_is():
        return state

    goes_on = (live_sentences(search, state) > fewer) & (state.index < short)
    return ops.cond(goes_on, advanced, as_it_is)


def requests_of_all_shapes(sources, widths, width_of):
    """Lists of texts that have all compiled shapes between them.

    Args:
        sources: texts to make them of.
        widths: as for `search_by_xla`.
        width_of: a function from a text to the width of its array.
    """
    characters = itertools.cycle(" ".join([*sources, ""]))
    text = ""
    for narrower, width in zip((0, *widths), widths, strict=False):
        while width_of(text) <= narrower:
            text += next(characters)
        if width_of(text) <= width:
            for rows in ROWS:
                yield [text] * rows
