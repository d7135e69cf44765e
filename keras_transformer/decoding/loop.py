"""The loop around a `Search`: how often it advances, in one graph."""

from keras import ops

from . import cache as caches


def run(search, request, state, lengths):
    """Advances a search until it is over or has `lengths[-1]` positions, in one graph.

    The cache is as long as `lengths[0]` at first, and grows to the next length only
    when the search gets there: most translations are much shorter than the limit, and
    every step costs as much as the cache is long. The last state has an empty cache.
    """
    state, live = advance_until(search, request, state, lengths[0], 0)
    if len(lengths) == 1:
        return state._replace(cache=())

    def with_more_room():
        longer = state._replace(cache=caches.extend(state.cache, lengths[1]))
        return run(search, request, longer, lengths[1:])

    def as_it_is():
        return state._replace(cache=())

    return ops.cond(ops.any(live), with_more_room, as_it_is)


def advance_until(search, request, state, length, fewer):
    """The state, and where it is live, once no more than `fewer` sentences are.

    Or once position `length` is reached, if that comes first.
    """

    def goes_on(state):
        number = live_sentences(search, state)
        return ops.logical_and(number > fewer, state.index < length)

    def advance(state):
        return (search.advance(request, state),)

    (state,) = ops.while_loop(goes_on, advance, (state,))
    return state, search.live(state)


def live_sentences(search, state):
    """How many sentences are to go on, an int32 scalar."""
    return ops.sum(ops.cast(search.live(state), "int32"))
