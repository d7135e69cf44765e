"""The recipe of a training."""

import dataclasses
from typing import Literal

from .fields import amount, check_fields, count, expect, option, share


@dataclasses.dataclass(frozen=True)
class TrainingConfig:
    """The recipe; the defaults of optimizer, schedule and loss are the paper's."""

    epochs: int = count(30, "passes over the training pairs")
    max_updates: int | None = count(None, "stop after this many updates")
    max_minutes: float | None = amount(
        None, "stop after this many minutes of training in one call"
    )
    seed: int = option(1, "seed of weights, dropout and shuffling", 0, 2**32 - 1)
    lora_rank: int | None = count(None, "LoRA of this rank learns, with --init-from")
    dtype: Literal["float32", "mixed_bfloat16", "mixed_float16"] = option(
        "float32", "Keras's dtype policy"
    )
    warmup_updates: int = count(4000, "updates over which the learning rate rises")
    learning_rate_scale: float = option(1.0, "factor on the paper's learning rate")
    label_smoothing: float = share(
        0.1, "share of the target probability spread over the vocabulary"
    )
    bpe_dropout: float = share(
        0.0, "probability that BPE leaves out a merge, drawn anew in each epoch"
    )
    word_dropout: float = share(
        0.0, "share of the tokens read, on both sides, that become the unknown one"
    )
    r_drop: float = amount(
        0.0,
        "R-Drop: weight of the divergence of two passes with dropout; 5 in its paper",
    )
    gradient_accumulation: int = count(1, "batches summed into one update")
    weight_decay: float | None = amount(None, "decoupled weight decay of Adam")
    clip_norm: float | None = option(None, "largest global norm of the gradient")
    ema_momentum: float | None = option(
        None,
        "share that a moving average of the weights keeps at each batch, such as "
        "0.999; it is what is validated and saved",
        0.0,
        0.999999,
    )
    monitor: Literal["loss", "bleu"] = option(
        "loss", "what decides which epoch is best, on the validation pairs"
    )
    bleu_tokenize: Literal[
        "auto",
        "13a",
        "intl",
        "zh",
        "ja-mecab",
        "ko-mecab",
        "flores200",
        "spm",
        "char",
        "none",
    ] = option(
        "auto",
        "how BLEU cuts text; auto is by the script of the references, none is for "
        "text that is cut already",
        only=("monitor", "bleu"),
    )
    patience: int | None = count(None, "stop after so many epochs without a better one")
    average_last: int = count(5, "last epochs whose mean is compared with the best one")
    tensorboard: bool = option(False, "write TensorBoard files into the run")
    checkpoint_minutes: float = amount(
        10.0, "minutes between checkpoints within an epoch; 0 for one after each batch"
    )
    keep_last: int = count(2, "newest checkpoints to keep, each to resume from")
    keep_best: int = count(1, "best epochs whose weights to keep")

    def __post_init__(self):
        check_fields(self)
        for name in ("learning_rate_scale", "clip_norm", "max_minutes"):
            value = getattr(self, name)
            expect(value is None or value > 0, name, "be above 0", value)
        # A batch whose gradient overflows is skipped, and the update would take in a
        # later one instead.
        steps = self.gradient_accumulation
        must = "be 1 with dtype='mixed_float16'"
        is_right = steps == 1 or self.dtype != "mixed_float16"
        expect(is_right, "gradient_accumulation", must, steps)
