"""Token embedding plus position, and the same matrix as output projection."""

from typing import get_args

import keras
import numpy as np
from keras import ops
from keras.dtype_policies import DTypePolicyMap

from ..config import (
    Table,
    check_first_position,
    check_width,
    expect,
    expect_sizes,
    one_of,
)
from .masks import positions_of
from .products import are_few_vectors, matrix_first
from .transformer_layer import TransformerLayer, default_quantization, shared_config

NO_ROW = 2**31 - 1  # an id that no table has


@keras.saving.register_keras_serializable("keras_transformer")
class PositionalEmbedding(TransformerLayer):
    """A token's vector, scaled, plus its position's: `y_t = sqrt(D) E[id_t] + P[t]`.

    The sum is formed in float32. The paper's position table interleaves sines and
    cosines; `"sinusoidal_halves"` is Marian's, all sines first; `"sinusoidal_fairseq"`,
    which is tensor2tensor's too, has that order and `2i / (D - 2)` for `2i / D`:

        P[t, 2i] = sin(t / 10000^(2i / D))
        P[t, 2i + 1] = cos(t / 10000^(2i / D))            0 <= i < D / 2

    `E (V, D)` begins as N(0, 1 / sqrt(D)), so that the scaled embedding has variance 1.

    Args:
        vocab_size: number of tokens V.
        d_model: width D; even for the sinusoidal tables.
        positions: `"sinusoidal"`, `"sinusoidal_halves"`, `"sinusoidal_fairseq"`,
            `"learned"`, or `"none"` where attention knows the order by itself.
        max_positions: rows of the learned table; the sinusoidal tables have no end.
        first_position: the t of the first token of a sinusoidal table: 0, in fairseq's
            models 2.
        scale: whether E is multiplied by sqrt(D).
        mask_zero: whether id 0 is padding, which Keras's implicit mask leaves out.
        frozen_id: a token whose vector does not learn from being looked up, as torch's
            `padding_idx`; none when absent.
        token_embedding: a `keras.layers.ReversibleEmbedding` that holds E, to share it
            with another layer; one of its own when absent. A `.keras` file keeps that
            they share it; `clone_model` and `to_json` do not.

    Call arguments:
        ids: `(B, T)` token ids; floats are cast, as `keras.layers.Embedding` does. Ids
            that no token has, negative ones too, are an error of TensorFlow's and
            PyTorch's, and NaN on JAX, which cannot refuse a value.
        index: position of the first of them, an integer or a scalar integer tensor.

    Returns:
        `(B, T, D)` in the compute dtype. `project(x)` with x `(B, T, D)` gives the
        logits `x E^T (B, T, V)` in float32.

    Raises:
        ValueError: if positions is unknown or has no first_position, a size is below 1,
            d_model is odd or too small for a sinusoidal table, or token_embedding has
            other sizes; or if ids are longer than the learned table.

    Examples:
        >>> embedding = PositionalEmbedding(vocab_size=11, d_model=4)
        >>> tuple(embedding(np.array([[5, 7, 2]])).shape)
        (1, 3, 4)

    Source: Vaswani et al. 2017, sections 3.4 and 3.5.
    """

    def __init__(
        self,
        vocab_size,
        d_model,
        positions="sinusoidal",
        max_positions=512,
        first_position=0,
        scale=True,
        mask_zero=False,
        frozen_id=None,
        token_embedding=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        # Half precision cannot tell large ids apart.
        self.autocast = False
        self.keep(locals())
        one_of("positions", positions, get_args(Table))
        self.shares_tokens = token_embedding is not None
        expect_sizes(vocab_size=vocab_size, d_model=d_model)
        expect_sizes(max_positions=max_positions)
        check_width(d_model, positions)
        check_first_position(first_position, positions)
        if self.shares_tokens:
            sizes = (token_embedding.input_dim, token_embedding.output_dim)
            what = f"have vocab_size={vocab_size} tokens and d_model={d_model}"
            fits = sizes == (vocab_size, d_model)
            expect(fits, "token_embedding", what, sizes)

    def build(self, ids_shape=None):
        if self.token_embedding is None:
            self.token_embedding = self._own_token_embedding()
        if not self.token_embedding.built:
            self.token_embedding.build()
        if self.positions == "learned":
            self.position_table = self.add_weight(
                (self.max_positions, self.d_model),
                initializer=keras.initializers.RandomNormal(stddev=1.0),
                autocast=False,
                name="positions",
            )

    def _own_token_embedding(self):
        """A layer that holds E, by the dtype policy of this layer."""
        name = "token_embedding"
        policy = self.dtype_policy
        if isinstance(policy, DTypePolicyMap):
            policy = policy[f"{self.path}/{name}"]
        is_quantized = policy.quantization_mode is not None
        return self.make(
            keras.layers.ReversibleEmbedding,
            self.vocab_size,
            self.d_model,
            embeddings_initializer=keras.initializers.RandomNormal(
                stddev=self.d_model**-0.5
            ),
            reverse_dtype=self.compute_dtype,
            # Vectors are looked up in float32, whatever the policy of this layer.
            dtype=policy if is_quantized else "float32",
            quantization_config=default_quantization(policy),
            name=name,
        )

    def call(self, ids, index=0):
        expect(len(ids.shape) == 2, "ids", "have two axes (B, T)", tuple(ids.shape))
        if self.positions == "learned":
            length = ids.shape[1] or 0
            limit = f"hold at most max_positions={self.max_positions} positions"
            expect(length <= self.max_positions, "ids", limit, length)
        ids = ops.cast(ids, "int32")
        # Keras would count negative ids from the table's end.
        ids = ops.where(ids < 0, NO_ROW, ids)
        # Half precision cannot tell neighbouring positions apart either.
        tokens_BTD = ops.cast(self.token_embedding(ids), "float32")
        if self.frozen_id is not None:
            frozen_BT1 = ops.expand_dims(ops.equal(ids, self.frozen_id), axis=2)
            constant_BTD = ops.stop_gradient(tokens_BTD)
            tokens_BTD = ops.where(frozen_BT1, constant_BTD, tokens_BTD)
        if self.scale:
            tokens_BTD = tokens_BTD * self.d_model**0.5
        if self.positions != "none":
            tokens_BTD = tokens_BTD + self.encode(positions_of(ids) + index)
        return ops.cast(tokens_BTD, self.compute_dtype)

    def encode(self, positions_BT):
        """The position vectors `(B, T, D)`, float32, of integer positions `(B, T)`.

        Positions are counted from the first token's 0.
        """
        if self.positions == "learned":
            table = ops.convert_to_tensor(self.position_table)
            # As for ids.
            positions_BT = ops.where(positions_BT < 0, NO_ROW, positions_BT)
            return ops.cast(ops.take(table, positions_BT, axis=0), "float32")
        is_fairseq = self.positions == "sinusoidal_fairseq"
        width = self.d_model - 2 if is_fairseq else self.d_model
        rates = 10000.0 ** (-np.arange(0, self.d_model, 2) / width)
        t_BT = ops.cast(positions_BT + self.first_position, "float32")
        # As a tensor: times an array, NumPy would compute, out of sight of PyTorch.
        rates_I = ops.convert_to_tensor(rates, "float32")
        angles_BTI = ops.expand_dims(t_BT, axis=-1) * rates_I
        halves = [ops.sin(angles_BTI), ops.cos(angles_BTI)]
        if self.positions != "sinusoidal":
            return ops.concatenate(halves, axis=-1)
        shape = (*ops.shape(positions_BT), self.d_model)
        return ops.reshape(ops.stack(halves, axis=-1), shape)

    def project(self, x):
        """The logits `(B, T, V)`, float32, of decoder outputs `(B, T, D)`."""
        tokens = self.token_embedding
        if not (self.has_plain_projection and are_few_vectors(x)):
            return ops.cast(tokens(x, reverse=True), "float32")
        dtype = tokens.reverse_dtype or tokens.compute_dtype
        matrix = ops.cast(ops.convert_to_tensor(tokens.embeddings), dtype)
        return ops.cast(matrix_first(ops.cast(x, dtype), matrix), "float32")

    @property
    def has_plain_projection(self):
        """Whether logits are the product with E, and with nothing else."""
        tokens = self.token_embedding
        is_capped = tokens.logit_soft_cap is not None
        return tokens.quantization_mode is None and tokens.tie_weights and not is_capped

    def compute_mask(self, ids, previous_mask=None):
        return ops.not_equal(ids, 0) if self.mask_zero else previous_mask

    def compute_output_shape(self, ids_shape):
        return (*ids_shape, self.d_model)

    def get_config(self):
        shared = self.token_embedding if self.shares_tokens else None
        return {**super().get_config(), "token_embedding": shared_config(shared)}

    @classmethod
    def from_config(cls, config):
        shared = keras.saving.deserialize_keras_object(config["token_embedding"])
        return cls(**{**config, "token_embedding": shared})
