"""What a model says of given tokens; the hypotheses of a search that are wanted."""

import zlib

import numpy as np
from keras import ops

from ..config import expect


def seeds_of(text, config):
    """The seeds of a text's samples, a function of nothing else about its batch."""
    names = [f"{config.seed} {sample} {text}" for sample in range(config.samples)]
    return [zlib.crc32(name.encode()) >> 1 for name in names]


def best_of(ids_WL, scores_W, n_best, pad):
    """The ids of the best hypotheses of a sentence, as lists, and their scores."""
    order = np.argsort(-scores_W, kind="stable")
    best = [w for w in order if scores_W[w] > -np.inf][:n_best]
    what = "give finite scores: its weights are broken"
    expect(best, "the model", what, scores_W.tolist())
    rows = [ids_WL[w] for w in best]
    return [row[row != pad].tolist() for row in rows], scores_W[best]


def translation_log_probs(model, source_ids, target_ids, labels):
    """The log-probability of each label `(B, T)` of a `Transformer`."""
    inputs = {"source_ids": source_ids, "target_ids": target_ids}
    return log_probs_of(model, inputs, labels)


def log_probs_of(model, inputs, labels):
    """The log-probability of each label `(B, T)` of a model of these inputs."""
    logits = ops.cast(model(inputs, training=False), "float32")
    chosen = ops.take_along_axis(logits, ops.expand_dims(labels, 2), axis=2)
    return ops.squeeze(chosen, 2) - ops.logsumexp(logits, axis=2)
