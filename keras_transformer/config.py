"""What can be chosen, in frozen dataclasses: model, data, training and decoding.

The command line makes a flag of every field, with the help text beside it.
"""

import dataclasses
from typing import Literal

from .config_data import CleaningConfig as CleaningConfig
from .config_data import DataConfig as DataConfig
from .config_data import FilterConfig as FilterConfig
from .config_fields import (
    amount,
    check_fields,
    check_only,
    count,
    expect,
    one_of,
    option,
    share,
    whole,
)
from .text.special_tokens import BEGIN, END, PAD, SpecialTokens

Activation = Literal["relu", "gelu", "silu"]
Positions = Literal["sinusoidal", "sinusoidal_halves", "sinusoidal_fairseq", "learned"]


def check_width(d_model, positions):
    """Raise a `ValueError` unless there is such a position table of that width."""
    if positions != "learned":
        least = 4 if positions == "sinusoidal_fairseq" else 2
        fits = d_model % 2 == 0 and d_model >= least
        what = f"be even and at least {least} with positions={positions!r}"
        expect(fits, "d_model", what, d_model)


@dataclasses.dataclass(frozen=True)
class TransformerConfig:
    """The sizes and switches of a Transformer; the defaults are the base model's.

    Source: Vaswani et al. 2017, Table 3.
    """

    source_vocab_size: int = count(8000, "source tokens, special ones included")
    target_vocab_size: int = count(8000, "target tokens, special ones included")
    share_embeddings: bool = option(True, "one embedding matrix for source and target")
    encoder_layers: int = count(6, "number of encoder blocks (N)")
    decoder_layers: int = count(6, "number of decoder blocks (N)")
    d_model: int = count(512, "width of every block's input and output")
    d_ff: int = count(2048, "width inside the feed-forward layers")
    num_heads: int = count(8, "number of attention heads (h)")
    key_dim: int | None = count(
        None, "size of one head's queries and keys (d_k); d_model / heads when absent"
    )
    value_dim: int | None = count(
        None, "size of one head's values (d_v); d_model / heads when absent"
    )
    decoder_d_ff: int | None = count(None, "the decoder's d_ff; d_ff when absent")
    dropout: float = share(0.1, "dropout on embeddings and sub-layers (P_drop)")
    attention_dropout: float = share(
        0.0, "dropout on attention weights; above 0 the fused attention is not used"
    )
    activation: Activation = option("relu", "non-linearity of the feed-forward layers")
    norm_first: bool = option(
        False, "layer norm before each sub-layer; the paper's is after each residual"
    )
    final_norm: bool | None = option(
        None, "layer norm at the end of both stacks; with pre-norm only when absent"
    )
    embedding_norm: bool = option(False, "layer norm of embeddings and positions")
    scale_embedding: bool = option(True, "embeddings times the square root of d_model")
    positions: Positions = option(
        "sinusoidal",
        "position table: the paper's, Marian's (sines, then cosines), fairseq's (other "
        "rates), or learned",
    )
    first_position: int = whole(0, "first position in a sinusoidal table")
    max_positions: int = count(
        512, "rows of a learned position table, and of tables in exports for Marian"
    )
    share_positions: bool = option(
        True,
        "one learned position table for both sides, where they share embeddings",
        only=("positions", "learned"),
    )
    attention_bias: bool = option(False, "biases in the attention projections")
    tie_output: bool = option(True, "the output projection is the target embedding")
    output_bias: bool = option(
        False, "a bias of each target token's logit, fixed: an imported model's"
    )
    layer_norm_epsilon: float = option(1e-6, "epsilon of the layer norms", 0.0, 1.0)
    pad_id: int = option(PAD, "id that fills up rows")
    begin_id: int = option(BEGIN, "id before the first target token")
    end_id: int = option(END, "id after the last token")

    def __post_init__(self):
        check_fields(self)
        last_id = min(self.source_vocab_size, self.target_vocab_size) - 1
        for name in ("pad_id", "begin_id", "end_id"):
            value = getattr(self, name)
            expect(0 <= value <= last_id, name, f"be between 0 and {last_id}", value)
        # A begin token may be either: what begins a target ends up nowhere else.
        expect(self.pad_id != self.end_id, "pad_id", "not be end_id", self.pad_id)
        d = self.d_model
        has_own_sizes = None not in (self.key_dim, self.value_dim)
        is_multiple = has_own_sizes or d % self.num_heads == 0
        what = f"be a multiple of num_heads={self.num_heads}"
        expect(is_multiple, "d_model", what, d)
        check_width(d, self.positions)
        first = self.first_position
        is_learned = self.positions == "learned"
        what = "be 0 with positions='learned'"
        expect(first == 0 or not is_learned, "first_position", what, first)
        sizes = (self.source_vocab_size, self.target_vocab_size)
        are_right = sizes[0] == sizes[1] or not self.share_embeddings
        names = "source_vocab_size and target_vocab_size"
        expect(are_right, names, "be equal with share_embeddings", sizes)

    @property
    def special(self):
        """The ids that mean something to the model, as `SpecialTokens`."""
        return SpecialTokens(pad=self.pad_id, begin=self.begin_id, end=self.end_id)

    @property
    def d_ffs(self):
        """The widths inside the feed-forward layers: encoder's, decoder's."""
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
        """The number of weights; a sinusoidal table has none."""
        d = self.d_model
        keys = self.num_heads * (self.key_dim or self.head_size)
        values = self.num_heads * (self.value_dim or self.head_size)
        attention = 2 * d * (keys + values)
        if self.attention_bias:
            attention += 2 * keys + values + d
        norm = 2 * d
        total = 2 * norm * (self.has_final_norm + self.embedding_norm)
        layers = (self.encoder_layers, self.decoder_layers)
        for attentions, number, d_ff in zip((1, 2), layers, self.d_ffs):
            feed_forward = (2 * d + 1) * d_ff + d
            block = attentions * (attention + norm) + feed_forward + norm
            total += number * block
        rows = self.source_vocab_size
        if not self.share_embeddings:
            rows += self.target_vocab_size
        if self.positions == "learned":
            rows += (1 if self.shares_positions else 2) * self.max_positions
        if not self.tie_output:
            rows += self.target_vocab_size
        if self.output_bias:
            total += self.target_vocab_size
        return total + rows * d


# What `distribute` can be asked for.
DISTRIBUTIONS = ("auto", "none", "data", "model")
# What a run takes from its tokenizers.
VOCABULARY_SIZES = ("source_vocab_size", "target_vocab_size", "share_embeddings")
FROM_TOKENIZER = (*VOCABULARY_SIZES, "pad_id", "begin_id", "end_id")
# Fields that are not chosen when a model is trained.
NO_FLAGS = (*FROM_TOKENIZER, "output_bias")


def flag_fields(config):
    """The fields of a config, or of its class, that may be chosen, by their names."""
    fields = {field.name: field for field in dataclasses.fields(config)}
    if TransformerConfig in (config, type(config)):
        for name in NO_FLAGS:
            del fields[name]
    return fields


SIZES = ("encoder_layers", "decoder_layers", "d_model", "d_ff", "num_heads", "dropout")
PRESETS = {
    "tiny": (4, 4, 128, 256, 4, 0.3),
    "small": (3, 3, 256, 512, 8, 0.2),
    "base": (6, 6, 512, 2048, 8, 0.1),
    "big": (6, 6, 1024, 4096, 16, 0.3),
}


def preset(name, **changes):
    """The `TransformerConfig` of a named size: for a laptop, or the paper's.

    Args:
        name: `tiny` or `small`, or the paper's `base` or `big`.
        **changes: fields that replace the preset's.

    Raises:
        ValueError: if the name is unknown.

    Examples:
        >>> preset("tiny", dropout=0.1).d_model
        128
    """
    sizes = dict(zip(SIZES, PRESETS[one_of("preset", name, PRESETS)]))
    return TransformerConfig(**sizes | changes)


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
    gradient_accumulation: int = count(1, "batches summed into one update")
    weight_decay: float | None = amount(None, "decoupled weight decay of Adam")
    clip_norm: float | None = option(None, "largest global norm of the gradient")
    monitor: Literal["loss", "bleu"] = option(
        "loss", "what decides which epoch is best, on the validation pairs"
    )
    bleu_tokenize: Literal[
        "auto", "13a", "intl", "zh", "ja-mecab", "ko-mecab", "flores200", "spm", "char"
    ] = option(
        "auto",
        "how BLEU cuts text; auto is by the script of the references",
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
        for name in ("learning_rate_scale", "clip_norm"):
            value = getattr(self, name)
            expect(value is None or value > 0, name, "be above 0", value)


BEAM = ("search", "beam")
SAMPLING = ("search", "sampling")


@dataclasses.dataclass(frozen=True)
class DecodingConfig:
    """How a translation is searched; the defaults are the paper's (section 6.1)."""

    search: Literal["beam", "greedy", "sampling"] = option(
        "beam", "how the next token is chosen"
    )
    beam: int = count(4, "hypotheses kept by beam search", most=1000, only=BEAM)
    # With more, the longest translations' penalty would be no float32.
    length_penalty: float = amount(
        0.6, "alpha; 0 is probability alone", most=5.0, only=BEAM
    )
    penalty: Literal["gnmt", "power"] = option(
        "gnmt", "((5 + length) / 6)^alpha as in the paper, or length^alpha", only=BEAM
    )
    extra_length: int = whole(50, "most tokens beyond the source's", most=100_000)
    n_best: int = count(1, "translations of each sentence, best first", most=1000)
    temperature: float = option(
        1.0, "sampling: below 1 sharper, above 1 flatter", 1e-3, only=SAMPLING
    )
    top_k: int = whole(
        0, "sampling: choose among the k likeliest tokens; 0 is off", only=SAMPLING
    )
    top_p: float = option(
        1.0,
        "sampling: choose among the likeliest that hold this much",
        1e-6,
        1.0,
        only=SAMPLING,
    )
    seed: int = option(0, "sampling: seed", 0, 2**32 - 1, only=SAMPLING)
    batch_size: int = count(64, "sentences translated together", most=1_000_000)
    max_source_length: int | None = option(
        None,
        "tokens of a source sentence with its end, the rest is cut off; when absent "
        "the max_length of the run, at least 256",
        2,
        100_000,
    )

    def __post_init__(self):
        check_fields(self)
        # A beam may stay: programs take one configuration for several searches.
        fields = [f for f in dataclasses.fields(self) if f.metadata["only"] == SAMPLING]
        check_only(self, [f.name for f in fields if getattr(self, f.name) != f.default])
        most = {"beam": self.beam, "greedy": 1}.get(self.search, self.n_best)
        expectation = f"be at most {most} with search={self.search!r}"
        expect(self.n_best <= most, "n_best", expectation, self.n_best)

    @property
    def longest_source(self):
        """`max_source_length`, or 256 when it is absent."""
        return self.max_source_length or 256
