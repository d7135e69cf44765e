"""The sizes and switches of a stack of blocks, encoder's or decoder's."""

import dataclasses
from typing import Literal, NamedTuple

from ..text.special_tokens import BEGIN, END, NO_TOKEN, PAD, SpecialTokens
from . import weights
from .fields import check_fields, count, expect, option, share, whole

Activation = Literal["relu", "gelu", "gelu_tanh", "silu"]
# What a position table may be, or nothing.
Table = Literal[
    "sinusoidal", "sinusoidal_halves", "sinusoidal_fairseq", "learned", "none"
]
Positions = Literal[Table, "rotary", "relative"]
Norm = Literal["layer", "rms"]
LEARNED = ("positions", "learned")
ROTARY = ("positions", "rotary")
RELATIVE = ("positions", "relative")


def check_width(d_model, positions):
    """Raise a `ValueError` unless there is such a position table of that width."""
    if positions.startswith("sinusoidal"):
        least = 4 if positions == "sinusoidal_fairseq" else 2
        fits = d_model % 2 == 0 and d_model >= least
        what = f"be even and at least {least} with positions={positions!r}"
        expect(fits, "d_model", what, d_model)


def check_first_position(first, positions):
    """Raise a `ValueError` if the first position of such a table would be ignored."""
    counts = positions.startswith("sinusoidal")
    what = f"be 0 with positions={positions!r}"
    expect(first == 0 or counts, "first_position", what, first)


def check_buckets(names, buckets, distance):
    """Raise a `ValueError` unless `RelativeBias` may have values of these names."""
    is_right = buckets >= 4 and buckets % 4 == 0
    expect(is_right, names[0], "be a multiple of 4, and at least 4", buckets)
    half = buckets // 2
    expect(distance > half, names[1], f"be above {names[0]} / 2 = {half}", distance)


class Side(NamedTuple):
    """The sizes in which the stacks of a model may differ."""

    vocab_size: int
    num_layers: int
    d_ff: int


@dataclasses.dataclass(frozen=True)
class StackConfig:
    """What the configurations of all models have in common.

    Source: Vaswani et al. 2017, Table 3, where nothing else is said.
    """

    d_model: int = count(512, "width of every block's input and output")
    d_ff: int = count(2048, "width inside the feed-forward layers")
    num_heads: int = count(8, "number of attention heads (h)")
    key_dim: int | None = count(
        None, "size of one head's queries and keys (d_k); d_model / heads when absent"
    )
    value_dim: int | None = count(
        None, "size of one head's values (d_v); d_model / heads when absent"
    )
    num_key_value_heads: int | None = count(
        None, "heads of keys and values, each shared by several of the queries'"
    )
    dropout: float = share(0.1, "dropout on embeddings and sub-layers (P_drop)")
    attention_dropout: float = share(
        0.0, "dropout on attention weights; above 0 no fused attention is used"
    )
    activation: Activation = option("relu", "non-linearity of the feed-forward layers")
    gated: bool = option(False, "a third feed-forward matrix that gates (GLU)")
    feed_forward_bias: bool = option(True, "biases in the feed-forward layers")
    norm: Norm = option(
        "layer", "kind of all norms: layer norm, or by root mean square"
    )
    norm_first: bool = option(
        False, "norm before each sub-layer; the paper's is after each residual"
    )
    final_norm: bool | None = option(
        None, "norm at the end of a stack; with pre-norm only when absent"
    )
    embedding_norm: bool = option(False, "norm of embeddings and positions")
    layer_norm_epsilon: float = option(1e-6, "epsilon of the norms", 0.0, 1.0)
    scale_embedding: bool = option(True, "embeddings times the square root of d_model")
    positions: Positions = option(
        "sinusoidal",
        "position table: the paper's, Marian's (sines, then cosines), fairseq's (other "
        "rates), learned, or none; or queries and keys turned by position (rotary), or "
        "a learned bias by distance (relative, T5's)",
    )
    first_position: int = whole(0, "first position in a sinusoidal table")
    max_positions: int = count(
        512, "rows of a learned position table, and of tables in exports for Marian"
    )
    rotary_base: float = option(10_000.0, "base of rotary positions", 1.0, only=ROTARY)
    rotary_factor: float = option(
        1.0, "how much longer than rotary_length texts may be", 1.0, only=ROTARY
    )
    rotary_length: int = count(
        8192, "positions known before a rotary_factor", only=ROTARY
    )
    relative_buckets: int = option(
        32, "buckets of distances, a multiple of 4", 4, 1_000_000, only=RELATIVE
    )
    relative_distance: int = count(
        128, "distance from which on all share a bucket", only=RELATIVE
    )
    window: int | None = count(
        None, "positions that self-attention sees on one side, the own one included"
    )
    attention_bias: bool = option(False, "biases in the attention projections")
    pad_id: int = option(PAD, "id that fills up rows")
    begin_id: int = option(BEGIN, "id before the first target token")
    end_id: int = option(END, "id after the last token")

    # Some models have other values of these, or fields for them.
    separate_documents = False
    needs_padding = True
    token_types = 0
    tie_output = True
    output_bias = False

    def __post_init__(self):
        check_fields(self)
        last_id = self.vocabulary - 1
        names = ["begin_id", "end_id"]
        if self.needs_padding or self.pad_id != NO_TOKEN:
            names.insert(0, "pad_id")
        for name in names:
            value = getattr(self, name)
            expect(0 <= value <= last_id, name, f"be between 0 and {last_id}", value)
        # begin_id may equal either of the two: it stands only where a target begins.
        expect(self.pad_id != self.end_id, "pad_id", "not be end_id", self.pad_id)
        heads = self.num_heads
        has_own_sizes = None not in (self.key_dim, self.value_dim)
        is_multiple = has_own_sizes or self.d_model % heads == 0
        what = f"be a multiple of num_heads={heads}"
        expect(is_multiple, "d_model", what, self.d_model)
        groups = self.num_key_value_heads or heads
        what = f"divide num_heads={heads}"
        expect(heads % groups == 0, "num_key_value_heads", what, groups)
        check_width(self.d_model, self.positions)
        check_first_position(self.first_position, self.positions)
        names = ("relative_buckets", "relative_distance")
        check_buckets(names, self.relative_buckets, self.relative_distance)
        is_even = self.positions != "rotary" or self.head_sizes[0] % 2 == 0
        what = "be even with positions='rotary'"
        expect(is_even, "key_dim", what, self.head_sizes[0])

    @property
    def vocabulary(self):
        """The number of tokens that all sides know."""
        return self.vocab_size

    @property
    def num_blocks(self):
        """The number of blocks of all stacks."""
        return self.num_layers

    def side(self, name):
        """The sizes of the `"source"` or the `"target"` side."""
        return Side(self.vocab_size, self.num_layers, self.d_ff)

    @property
    def special(self):
        """The ids that mean something to the model, as `SpecialTokens`."""
        return SpecialTokens(pad=self.pad_id, begin=self.begin_id, end=self.end_id)

    @property
    def longest(self):
        """The most positions that the model has; None without a limit."""
        return self.max_positions if self.positions == "learned" else None

    @property
    def table(self):
        """The position table of the embedding."""
        return "none" if self.positions in ("rotary", "relative") else self.positions

    @property
    def head_sizes(self):
        """The size of one head's keys, and of its values."""
        size = self.d_model // self.num_heads
        return self.key_dim or size, self.value_dim or size

    @property
    def has_final_norm(self):
        """Whether a stack ends in a norm."""
        return self.norm_first if self.final_norm is None else self.final_norm

    @property
    def parameters(self):
        """The number of weights; a sinusoidal table has none."""
        rows = self.vocab_size + self.token_types
        if self.positions == "learned":
            rows += self.max_positions
        if not self.tie_output:
            rows += self.vocab_size
        biases = self.vocab_size if self.output_bias else 0
        stack = self.stack_parameters("source")
        return stack + rows * self.d_model + biases

    def stack_parameters(self, side):
        """The number of weights of a stack, without its embedding."""
        block = weights.count(weights.block("", self, side))
        blocks = self.side(side).num_layers * block
        return blocks + weights.count(weights.around_blocks(self))
