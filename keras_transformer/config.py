"""What can be chosen, in four frozen dataclasses: the model, its data, its training, its decoding.

The command line makes a flag of every field, with the help text that stands beside it
here.
"""

import dataclasses
from typing import Literal, get_args, get_origin

from keras_transformer.text.special_tokens import BEGIN, END, PAD, SpecialTokens


def expect(holds, name, expectation, received):
    """Raise a `ValueError` unless something holds: NAME must EXPECTATION; received ...

    Args:
        holds: whether it does.
        name: the argument.
        expectation: what it must be or do.
        received: its value.

    Example:
        >>> expect(0 > 0, "d_ff", "be at least 1", 0)
        Traceback (most recent call last):
        ValueError: d_ff must be at least 1; received 0
    """
    if not holds:
        raise ValueError(f"{name} must {expectation}; received {received!r}")


def option(default, help):
    """A dataclass field with the sentence that `--help` shows."""
    return dataclasses.field(default=default, metadata={"help": help})


def check_fields(config):
    """Raise a `ValueError` that names the first field whose value is of the wrong type or not among its choices."""
    for field in dataclasses.fields(config):
        value, expected = getattr(config, field.name), field.type
        if get_origin(expected) is Literal:
            if value not in get_args(expected):
                raise ValueError(
                    f"{field.name} must be one of {get_args(expected)}; received {value!r}"
                )
            continue
        allowed = get_args(expected) or (expected,)
        is_number = (
            isinstance(value, int) and not isinstance(value, bool) and float in allowed
        )
        if not is_number and type(value) not in allowed:
            names = " or ".join(
                "nothing" if kind is type(None) else kind.__name__ for kind in allowed
            )
            raise ValueError(f"{field.name} must be {names}; received {value!r}")


def check_range(config, minimum, maximum, *names):
    """Raise a `ValueError` unless each named field is absent (None) or lies in [minimum, maximum]."""
    for name in names:
        value = getattr(config, name)
        if value is not None and not minimum <= value <= maximum:
            limit = (
                f"at least {minimum}"
                if maximum == float("inf")
                else f"between {minimum} and {maximum}"
            )
            raise ValueError(f"{name} must be {limit}; received {value!r}")


@dataclasses.dataclass(frozen=True)
class TransformerConfig:
    """The sizes and switches of one encoder-decoder Transformer; the defaults are the paper's base model.

    Source: Vaswani et al. 2017, Table 3.
    """

    source_vocab_size: int = option(
        8000, "number of source tokens, special ones included"
    )
    target_vocab_size: int = option(
        8000, "number of target tokens, special ones included"
    )
    share_embeddings: bool = option(
        True, "one matrix for the embeddings of source and target"
    )
    encoder_layers: int = option(6, "number of encoder blocks (N)")
    decoder_layers: int = option(6, "number of decoder blocks (N)")
    d_model: int = option(512, "width of every block's input and output")
    d_ff: int = option(2048, "width inside the feed-forward layers")
    num_heads: int = option(8, "number of attention heads (h)")
    key_dim: int | None = option(
        None, "size of one head's queries and keys (d_k); d_model / heads when absent"
    )
    value_dim: int | None = option(
        None, "size of one head's values (d_v); d_model / heads when absent"
    )
    decoder_d_ff: int | None = option(
        None, "width inside the feed-forward layers of the decoder; d_ff when absent"
    )
    dropout: float = option(
        0.1, "dropout on embeddings and on every sub-layer's output (P_drop)"
    )
    attention_dropout: float = option(
        0.0, "dropout on attention weights; above 0 the fused attention is not used"
    )
    activation: Literal["relu", "gelu", "silu"] = option(
        "relu", "non-linearity of the feed-forward layers"
    )
    norm_first: bool = option(
        False,
        "layer norm before each sub-layer (pre-norm); the paper's stands after each "
        "residual",
    )
    final_norm: bool | None = option(
        None, "layer norm at the end of both stacks; with pre-norm only when absent"
    )
    embedding_norm: bool = option(
        False, "layer norm of the embeddings with their positions"
    )
    scale_embedding: bool = option(
        True, "multiply the embeddings by the square root of d_model"
    )
    positions: Literal[
        "sinusoidal", "sinusoidal_halves", "sinusoidal_fairseq", "learned"
    ] = option(
        "sinusoidal",
        "position table: the paper's, Marian's (sines, then cosines), fairseq's (other rates), or learned",
    )
    first_position: int = option(0, "position of the first token in a sinusoidal table")
    max_positions: int = option(
        512, "rows of a learned position table, and of tables in exports for Marian"
    )
    share_positions: bool = option(
        True, "one learned position table for both sides, where they share embeddings"
    )
    attention_bias: bool = option(False, "biases in the attention projections")
    tie_output: bool = option(
        True, "the output projection is the target embedding's matrix"
    )
    output_bias: bool = option(
        False, "a bias of each target token's logit, fixed: an imported model's"
    )
    layer_norm_epsilon: float = option(1e-6, "epsilon of the layer norms")
    pad_id: int = option(PAD, "id that fills up rows")
    begin_id: int = option(BEGIN, "id before the first target token")
    end_id: int = option(END, "id after the last token")

    def __post_init__(self):
        check_fields(self)
        positive = (
            "source_vocab_size",
            "target_vocab_size",
            "encoder_layers",
            "decoder_layers",
            "d_model",
            "d_ff",
        )
        positive += (
            "num_heads",
            "decoder_d_ff",
            "key_dim",
            "value_dim",
            "max_positions",
        )
        check_range(self, 1, float("inf"), *positive)
        check_range(self, 0.0, 0.99, "dropout", "attention_dropout")
        check_range(self, 0.0, 1.0, "layer_norm_epsilon")
        check_range(self, 0, float("inf"), "first_position")
        check_range(
            self,
            0,
            min(self.source_vocab_size, self.target_vocab_size) - 1,
            "pad_id",
            "begin_id",
            "end_id",
        )
        # A begin token may be either: what begins a target ends up nowhere else.
        if self.pad_id == self.end_id:
            raise ValueError(
                f"pad_id must not be end_id; received {self.pad_id} for both"
            )
        if None in (self.key_dim, self.value_dim) and self.d_model % self.num_heads:
            raise ValueError(
                f"d_model must be a multiple of num_heads={self.num_heads}; received {self.d_model}"
            )
        if self.positions != "learned" and self.d_model % 2:
            raise ValueError(
                f"d_model must be even with positions={self.positions!r}; received {self.d_model}"
            )
        if self.positions == "sinusoidal_fairseq" and self.d_model < 4:
            raise ValueError(
                f"d_model must be at least 4 with positions='sinusoidal_fairseq'; received {self.d_model}"
            )
        if self.positions == "learned" and self.first_position:
            raise ValueError(
                f"first_position must be 0 with positions='learned'; received {self.first_position}"
            )
        if self.share_embeddings and self.source_vocab_size != self.target_vocab_size:
            raise ValueError(
                "share_embeddings needs source_vocab_size and target_vocab_size to be equal; received "
                f"{self.source_vocab_size} and {self.target_vocab_size}"
            )

    @property
    def special(self):
        """The ids that mean something to the model, as `SpecialTokens`."""
        return SpecialTokens(pad=self.pad_id, begin=self.begin_id, end=self.end_id)

    @property
    def d_ffs(self):
        """The width inside the feed-forward layers of the encoder, and of the decoder."""
        return self.d_ff, self.decoder_d_ff or self.d_ff

    @property
    def longest(self):
        """The most positions that the model has; None without a limit."""
        return self.max_positions if self.positions == "learned" else None

    @property
    def head_size(self):
        """The size of one head where neither `key_dim` nor `value_dim` says another."""
        return self.d_model // self.num_heads

    @property
    def shares_positions(self):
        """Whether one `PositionalEmbedding` serves both sides."""
        has_two_tables = self.positions == "learned" and not self.share_positions
        return self.share_embeddings and not has_two_tables

    @property
    def has_final_norm(self):
        """Whether both stacks end in a layer norm."""
        return self.norm_first if self.final_norm is None else self.final_norm

    @property
    def parameters(self):
        """Number of weights of a model of these sizes; the positions of a sinusoidal table are none."""
        d = self.d_model
        head = self.head_size
        keys = self.num_heads * (self.key_dim or head)
        values = self.num_heads * (self.value_dim or head)
        attention = (
            2 * d * keys
            + 2 * d * values
            + self.attention_bias * (2 * keys + values + d)
        )
        feed_forwards, norm = [2 * d * width + width + d for width in self.d_ffs], 2 * d
        encoder = self.encoder_layers * (attention + feed_forwards[0] + 2 * norm)
        decoder = self.decoder_layers * (2 * attention + feed_forwards[1] + 3 * norm)
        rows = self.source_vocab_size + (
            0 if self.share_embeddings else self.target_vocab_size
        )
        if self.positions == "learned":
            rows += (1 if self.shares_positions else 2) * self.max_positions
        if not self.tie_output:
            rows += self.target_vocab_size
        norms = 2 * norm * (self.has_final_norm + self.embedding_norm)
        return (
            encoder
            + decoder
            + rows * d
            + norms
            + self.output_bias * self.target_vocab_size
        )


DISTRIBUTIONS = ("auto", "none", "data", "model")  # what `distribute` can be asked for
# What a run takes from its tokenizers.
FROM_TOKENIZER = (
    "source_vocab_size",
    "target_vocab_size",
    "share_embeddings",
    "pad_id",
    "begin_id",
    "end_id",
)
# Fields that are not chosen when a model is trained.
NO_FLAGS = (*FROM_TOKENIZER, "output_bias")

PRESETS = {
    "tiny": dict(
        encoder_layers=4,
        decoder_layers=4,
        d_model=128,
        d_ff=256,
        num_heads=4,
        dropout=0.3,
    ),
    "small": dict(
        encoder_layers=3,
        decoder_layers=3,
        d_model=256,
        d_ff=512,
        num_heads=8,
        dropout=0.2,
    ),
    "base": dict(),
    "big": dict(d_model=1024, d_ff=4096, num_heads=16, dropout=0.3),
}


def preset(name, **changes):
    """The `TransformerConfig` of a named size: `tiny`, `small` (for a laptop), or the paper's `base` and `big`.

    Args:
        name: one of `PRESETS`.
        **changes: fields that replace the preset's.

    Raises:
        ValueError: if the name is unknown.

    Example:
        >>> preset("base").d_model
        512
        >>> preset("tiny", dropout=0.1).dropout
        0.1
    """
    if name not in PRESETS:
        raise ValueError(
            f"preset must be one of {', '.join(PRESETS)}; received {name!r}"
        )
    return TransformerConfig(**{**PRESETS[name], **changes})


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """How text becomes batches."""

    vocab_size: int = option(
        8000, "number of SentencePiece tokens, special ones included"
    )
    tokenizer: Literal["bpe", "unigram"] = option("bpe", "kind of SentencePiece model")
    byte_fallback: bool = option(
        False, "spell unknown characters as bytes, so that nothing is unknown"
    )
    share_embeddings: bool = option(
        True, "one vocabulary for both languages; otherwise one each"
    )
    max_length: int = option(
        128, "longest sentence in tokens, end token included; longer pairs are dropped"
    )
    max_ratio: float = option(
        4.0,
        "largest ratio between the two lengths in tokens; pairs beyond it are dropped",
    )
    batch_tokens: int = option(4096, "target tokens in a batch, padding included")

    def __post_init__(self):
        check_fields(self)
        check_range(self, 8, 1_000_000, "vocab_size")
        check_range(self, 2, 100_000, "max_length")
        check_range(self, 1.0, float("inf"), "max_ratio")
        check_range(self, 1, float("inf"), "batch_tokens")


@dataclasses.dataclass(frozen=True)
class TrainingConfig:
    """The recipe; the defaults of optimizer, schedule and loss are the paper's (section 5)."""

    epochs: int = option(30, "passes over the training pairs")
    max_updates: int | None = option(None, "stop after this many updates")
    max_minutes: float | None = option(None, "stop after this many minutes of training")
    seed: int = option(1, "seed of weights, dropout and shuffling")
    dtype: Literal["float32", "mixed_bfloat16", "mixed_float16"] = option(
        "float32", "Keras's dtype policy"
    )
    warmup_updates: int = option(4000, "updates over which the learning rate rises")
    learning_rate_scale: float = option(1.0, "factor on the paper's learning rate")
    label_smoothing: float = option(
        0.1, "share of the target probability spread over the vocabulary"
    )
    gradient_accumulation: int = option(1, "batches summed into one update")
    weight_decay: float | None = option(None, "decoupled weight decay of Adam")
    clip_norm: float | None = option(None, "largest global norm of the gradient")
    monitor: Literal["loss", "bleu"] = option(
        "loss", "what decides which epoch is best, on the validation pairs"
    )
    patience: int | None = option(
        None, "stop after this many epochs without a better one"
    )
    average_last: int = option(
        5,
        "epochs at the end whose weights are averaged for comparison with the best one",
    )
    checkpoint_minutes: float = option(
        10.0, "minutes between checkpoints within an epoch; 0 for one after each batch"
    )
    keep_last: int = option(2, "newest checkpoints to keep, each to resume from")
    keep_best: int = option(1, "best epochs whose weights to keep")

    def __post_init__(self):
        check_fields(self)
        at_least_one = (
            "epochs",
            "max_updates",
            "warmup_updates",
            "gradient_accumulation",
            "patience",
            "average_last",
        )
        check_range(self, 1, float("inf"), *at_least_one, "keep_last", "keep_best")
        check_range(
            self, 0.0, float("inf"), "max_minutes", "weight_decay", "checkpoint_minutes"
        )
        check_range(self, 0, 2**32 - 1, "seed")
        check_range(self, 0.0, 0.99, "label_smoothing")
        for name in ("learning_rate_scale", "clip_norm"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"{name} must be above 0; received {value!r}")


@dataclasses.dataclass(frozen=True)
class DecodingConfig:
    """How a translation is searched; the defaults are the paper's (section 6.1)."""

    search: Literal["beam", "greedy", "sampling"] = option(
        "beam", "how the next token is chosen"
    )
    beam: int = option(4, "hypotheses kept by beam search")
    length_penalty: float = option(
        0.6, "alpha; 0 compares hypotheses by probability alone"
    )
    penalty: Literal["gnmt", "power"] = option(
        "gnmt", "((5 + length) / 6)^alpha as in the paper, or length^alpha"
    )
    extra_length: int = option(
        50, "tokens that a translation may be longer than its source"
    )
    n_best: int = option(1, "translations to give for each sentence, best first")
    temperature: float = option(1.0, "sampling: below 1 sharper, above 1 flatter")
    top_k: int = option(
        0, "sampling: choose among the k likeliest tokens only; 0 is off"
    )
    top_p: float = option(
        1.0, "sampling: choose among the likeliest tokens that hold this probability"
    )
    seed: int = option(0, "sampling: seed")
    batch_size: int = option(64, "sentences translated together")
    max_source_length: int = option(
        256, "tokens of a source sentence, end token included; the rest is cut off"
    )

    def __post_init__(self):
        check_fields(self)
        check_range(self, 1, 1000, "beam", "n_best")
        check_range(
            self, 0.0, float("inf"), "length_penalty", "extra_length", "top_k", "seed"
        )
        check_range(self, 1e-3, float("inf"), "temperature")
        check_range(self, 1e-6, 1.0, "top_p")
        check_range(self, 1, 1_000_000, "batch_size")
        check_range(self, 2, 100_000, "max_source_length")
        hypotheses = {"beam": self.beam, "greedy": 1}.get(self.search, self.n_best)
        if self.n_best > hypotheses:
            raise ValueError(
                f"n_best must be at most {hypotheses} with search={self.search!r}; received {self.n_best}"
            )
