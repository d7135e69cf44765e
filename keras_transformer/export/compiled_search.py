"""The search of a SavedModel, compiled by XLA for arrays of a few shapes."""

import functools
import itertools

import tensorflow as tf

from ..decoding.translate_ids import stages, translate_ids

# What arrays are padded to. Each shape takes seconds to compile, so they are few.
ROWS = (1, 8, 32)
WIDTHS = (16, 32, 64)


def compiled_search(graph, widths, model, config, **options):
    """`search(source_ids, limits) -> (ids, scores)`, as `graph` does it, but by XLA.

    Args:
        graph: the same search for arrays of any shape; it takes those that are larger
            than `ROWS` or `widths`.
        widths: increasing, those of `widths_up_to`.
        model, config, **options: as for `translate_ids`.
    """
    searches = [by_xla(width, model, config, **options) for width in widths]
    searches.append(graph)

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


def by_xla(width, model, config, **options):
    """The search for arrays of up to that width, compiled for each of `ROWS`."""
    lengths = stages(width, config, model.config.longest)
    search = functools.partial(translate_ids, model, config, lengths=lengths, **options)
    signature = [tf.TensorSpec(shape, tf.int32) for shape in ((None, width), (None,))]
    compiled = tf.function(
        search, autograph=False, jit_compile=True, input_signature=signature
    )

    def padded(source_ids, limits):
        pad = model.config.special.pad
        return compiled(*pad_to_shape(source_ids, limits, width, pad))

    return padded


def pad_to_shape(source_ids, limits, width, pad):
    """Both arrays with as many rows as the next of `ROWS` and that width.

    A row that is added has a limit of 0: the search skips it.
    """
    rows, own_width = tf.unstack(tf.shape(source_ids))
    wanted = tf.gather(ROWS, tf.searchsorted(ROWS, [rows])[0])
    missing = wanted - rows
    edges = [[0, missing], [0, width - own_width]]
    source_ids = tf.pad(source_ids, edges, constant_values=pad)
    source_ids = tf.ensure_shape(source_ids, (None, width))
    return source_ids, tf.pad(limits, [[0, missing]])


def requests_of_all_shapes(sources, widths, width_of):
    """Lists of texts that have all compiled shapes between them.

    Args:
        sources: texts to make them of.
        widths: as for `compiled_search`.
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
