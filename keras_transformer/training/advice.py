"""Trainings that cannot end well, or did not, and what to type instead."""

import math
import warnings

from .fitted import OFTEN, SPECIAL, WARMUPS, rescaled
from .open_batches import open_batches

FEWEST_PAIRS = 1000
MOST_OF_FIRST = 0.05  # the largest share of a moving average for the first weights
RARE = 20  # how often a token occurs on average that can hardly be learnt


def warn_of_plan(run, begun=None):
    """Warn of a plan that cannot end well, before a new `Run` is trained.

    `begun` is the run that it begins with, if any.
    """
    data = run.config.data
    training = run.config.training
    batches, _ = open_batches(run, training)
    warn_of_warmup(batches, training)
    if begun is not None or run.config.is_language_model:
        return
    store = batches.store
    if len(store) < FEWEST_PAIRS:
        warn(
            f"{len(store)} pairs are few to learn a language from, {FEWEST_PAIRS:,} "
            "being the least: begin with a run that knows more, --init-from RUN"
        )
    pieces = run.tokenizers[-1].pieces
    least = SPECIAL + sum(len(piece) == 1 for piece in pieces)
    words = int(store.lengths.sum())
    if not data.share_embeddings:
        words //= 2
    most = max(words // RARE, 2 * least)
    if data.vocab_size > most and not data.byte_fallback:
        better = max(words // OFTEN, 2 * least)
        warn(
            f"--vocab-size {data.vocab_size} is more than the text supports, which has "
            f"{words:,} tokens: most are too rare to be learnt; "
            f"type --vocab-size {better}"
        )


def warn_of_warmup(batches, training):
    """Warn if the learning rate would never reach its peak."""
    steps = training.gradient_accumulation
    updates = math.ceil(len(batches) / steps) * training.epochs
    updates = min(updates, training.max_updates or updates)
    warmup = training.warmup_updates
    if warmup <= updates:
        return
    shorter = max(1, updates // WARMUPS)
    scale = rescaled(training.learning_rate_scale, shorter / warmup)
    warn(
        f"--warmup-updates {warmup} is longer than the {updates} updates planned: "
        f"type --warmup-updates {shorter} --learning-rate-scale {scale}"
    )


def warn_of_average(momentum, batches):
    """Warn if the moving average still holds much of the first weights."""
    if momentum is None:
        return
    share = momentum**batches
    if share > MOST_OF_FIRST:
        lower = 1.0 - 5 / max(batches, 5)
        warn(
            f"--ema-momentum {momentum:g} is too high for {batches:,} batches: "
            f"{share:.0%} of the moving average, which is saved, are the first "
            f"weights; train on, or anew with --ema-momentum {lower:.3g}"
        )


def warn(message):
    warnings.warn(message, stacklevel=2)
