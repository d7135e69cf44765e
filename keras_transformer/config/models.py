"""The models: encoder and decoder, an encoder alone, a decoder alone; named sizes."""

import dataclasses

from .fields import count, expect, one_of, option
from .stack import LEARNED, Side, StackConfig


@dataclasses.dataclass(frozen=True)
class TransformerConfig(StackConfig):
    """The sizes and switches of a Transformer; the defaults are the base model's.

    Source: Vaswani et al. 2017, Table 3.
    """

    source_vocab_size: int = count(8000, "source tokens, special ones included")
    target_vocab_size: int = count(8000, "target tokens, special ones included")
    share_embeddings: bool = option(True, "one embedding matrix for source and target")
    encoder_layers: int = count(6, "number of encoder blocks (N)")
    decoder_layers: int = count(6, "number of decoder blocks (N)")
    decoder_d_ff: int | None = count(None, "the decoder's d_ff; d_ff when absent")
    share_positions: bool = option(
        True,
        "one learned position table for both sides, where they share embeddings",
        only=LEARNED,
    )
    tie_output: bool = option(True, "the output projection is the target embedding")
    output_bias: bool = option(
        False, "a bias of each target token's logit, fixed: an imported model's"
    )

    def __post_init__(self):
        super().__post_init__()
        sizes = (self.source_vocab_size, self.target_vocab_size)
        are_right = sizes[0] == sizes[1] or not self.share_embeddings
        names = "source_vocab_size and target_vocab_size"
        expect(are_right, names, "be equal with share_embeddings", sizes)

    @property
    def vocabulary(self):
        return min(self.source_vocab_size, self.target_vocab_size)

    @property
    def num_blocks(self):
        return self.encoder_layers + self.decoder_layers

    def side(self, name):
        if name == "source":
            return Side(self.source_vocab_size, self.encoder_layers, self.d_ff)
        d_ff = self.decoder_d_ff or self.d_ff
        return Side(self.target_vocab_size, self.decoder_layers, d_ff)

    @property
    def shares_positions(self):
        """Whether one `PositionalEmbedding` serves both sides."""
        has_two_tables = self.positions == "learned" and not self.share_positions
        return self.share_embeddings and not has_two_tables

    @property
    def parameters(self):
        """The number of weights; a sinusoidal table has none."""
        rows = self.source_vocab_size
        if not self.share_embeddings:
            rows += self.target_vocab_size
        if self.positions == "learned":
            tables = 1 if self.shares_positions else 2
            rows += tables * self.max_positions
        if not self.tie_output:
            rows += self.target_vocab_size
        biases = self.target_vocab_size if self.output_bias else 0
        encoder = self.stack_parameters("source")
        decoder = self.stack_parameters("target")
        return encoder + decoder + rows * self.d_model + biases


@dataclasses.dataclass(frozen=True)
class EncoderConfig(StackConfig):
    """The sizes and switches of an `Encoder` alone, such as BERT."""

    vocab_size: int = count(8000, "tokens, special ones included")
    num_layers: int = count(6, "number of blocks (N)")
    token_types: int = option(0, "kinds of tokens that have a vector of their own", 0)


@dataclasses.dataclass(frozen=True)
class CausalLMConfig(StackConfig):
    """The sizes and switches of a `CausalLM`, such as GPT-2 or Llama.

    Its `pad_id` may be -1, where no token is for padding.
    """

    vocab_size: int = count(8000, "tokens, special ones included")
    num_layers: int = count(6, "number of blocks (N)")
    tie_output: bool = option(True, "the output projection is the embedding")
    output_bias: bool = option(
        False, "a bias of each token's logit, fixed: an imported model's"
    )
    separate_documents: bool = option(
        True, "a begin token begins a document, which sees nothing of those before it"
    )

    needs_padding = False


def config_from(fields):
    """The configuration that these fields, a dict, are all or some of."""
    kinds = {"encoder_layers": TransformerConfig, "token_types": EncoderConfig}
    for name, kind in kinds.items():
        if name in fields:
            return kind(**fields)
    return CausalLMConfig(**fields)


SIZES = ("encoder_layers", "decoder_layers", "d_model", "d_ff", "num_heads", "dropout")
PRESETS = {
    "tiny": (4, 4, 128, 256, 4, 0.3),
    "small": (3, 3, 256, 512, 8, 0.2),
    "base": (6, 6, 512, 2048, 8, 0.1),
    "big": (6, 6, 1024, 4096, 16, 0.3),
}


def preset(name, kind=TransformerConfig, **changes):
    """The configuration of a named size: for a laptop, or the paper's.

    Args:
        name: `tiny` or `small`, or the paper's `base` or `big`.
        kind: `TransformerConfig`, or `EncoderConfig` or `CausalLMConfig` for one side.
        **changes: fields that replace the preset's.

    Raises:
        ValueError: if the name is unknown.

    Examples:
        >>> preset("tiny", dropout=0.1).d_model
        128
    """
    return kind(**preset_fields(name, kind) | changes)


def preset_fields(name, kind):
    """The fields that a preset chooses of a model of that kind."""
    fields = dict(zip(SIZES, PRESETS[one_of("preset", name, PRESETS)]))
    if kind is not TransformerConfig:
        del fields["encoder_layers"]
        fields["num_layers"] = fields.pop("decoder_layers")
    return fields


def resized(model, name):
    """The configuration of a model with the sizes of a preset; the rest stays."""
    sizes = preset_fields(name, type(model))
    del sizes["dropout"]
    return dataclasses.replace(model, **sizes)
