"""How much of a source a translation looked at, for the coverage penalty."""

import dataclasses
import operator

from keras import ops

from .attention import aligning

LEAST = 1e-9  # of a source token's attention: its logarithm is finite


def coverage(model, source_ids, target_ids, labels):
    """The coverage `(B,)` of sources by translations, in nats, at most 0.

        c = sum_s log min(1, sum_t a[t, s])

    a is the attention of `attention.aligning`. A source token is covered once the steps
    of the translation gave it a weight of 1 in all.

    Args:
        model: a `Transformer`.
        source_ids: `(B, S)`, PAD after each.
        target_ids, labels: `(B, T)`, what the decoder reads and what it writes.

    Source: Wu et al. 2016, equation 14.
    """
    pad = model.config.pad_id
    weights_BTS = aligning(model, source_ids, target_ids)
    is_step_BT1 = ops.expand_dims(ops.cast(labels != pad, "float32"), 2)
    looked_BS = ops.sum(weights_BTS * is_step_BT1, axis=1)
    logs_BS = ops.log(ops.clip(looked_BS, LEAST, 1.0))
    return ops.sum(ops.where(source_ids != pad, logs_BS, 0.0), axis=1)


def ranked(hypotheses, penalties):
    """Hypotheses whose scores have the penalties added, best first.

    Args:
        hypotheses: those of one sentence.
        penalties: a number for each.
    """
    scored = [
        dataclasses.replace(one, score=one.score + float(penalty))
        for one, penalty in zip(hypotheses, penalties, strict=True)
    ]
    return sorted(scored, key=operator.attrgetter("score"), reverse=True)
