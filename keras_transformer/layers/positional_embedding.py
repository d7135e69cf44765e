"""Token embedding plus position, and the same matrix as output projection."""

import keras
import numpy as np
from keras import ops

from keras_transformer.layers.masks import positions_of

POSITIONS = ("sinusoidal", "sinusoidal_halves", "sinusoidal_fairseq", "learned")


@keras.saving.register_keras_serializable("keras_transformer")
class PositionalEmbedding(keras.layers.Layer):
    """A token's vector, scaled, plus its position's: `y_t = sqrt(D) E[id_t] + P[t]`, computed in float32.

    The paper's position table interleaves sines and cosines; `"sinusoidal_halves"` is
    Marian's, all sines first; `"sinusoidal_fairseq"`, which is tensor2tensor's too, has
    that order and `2i / (D - 2)` for `2i / D`:

        P[t, 2i] = sin(t / 10000^(2i / D))     P[t, 2i + 1] = cos(t / 10000^(2i / D))        0 <= i < D / 2

    `E (V, D)` begins as N(0, 1 / sqrt(D)), so that the scaled embedding has variance 1.

    Args:
        vocab_size: number of tokens V.
        d_model: width D; even for the sinusoidal tables.
        positions: `"sinusoidal"`, `"sinusoidal_halves"`, `"sinusoidal_fairseq"` or
            `"learned"`.
        max_positions: rows of the learned table; the sinusoidal tables have no end.
        two_tables: whether there are two learned tables, for two sides with the same
            tokens.
        frozen_id: a token whose vector does not learn from being looked up, as torch's
            `padding_idx`; none when absent.
        first_position: the t of the first token: 0, in fairseq's models 2.
        scale: whether E is multiplied by sqrt(D).

    Call arguments:
        ids: `(B, T)` integer token ids.
        index: position of the first of them, an integer or a scalar integer tensor.
        second: whether to take the second table.

    Returns:
        `(B, T, D)` in the compute dtype. `project(x)` with x `(B, T, D)` gives the
        logits `x E^T (B, T, V)` in float32.

    Raises:
        ValueError: if positions is unknown, a size is below 1, or d_model is odd or too
            small for a sinusoidal table; or if ids are longer than the learned table.

    Example:
        >>> tuple(PositionalEmbedding(vocab_size=11, d_model=4)(np.array([[5, 7, 2]])).shape)
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
        two_tables=False,
        frozen_id=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if positions not in POSITIONS:
            raise ValueError(
                f"positions must be one of {POSITIONS}; received {positions!r}"
            )
        for name, value in (
            ("vocab_size", vocab_size),
            ("d_model", d_model),
            ("max_positions", max_positions),
        ):
            if value < 1:
                raise ValueError(f"{name} must be at least 1; received {value!r}")
        if positions != "learned" and d_model % 2:
            raise ValueError(
                f"d_model must be even with {positions} positions; received {d_model!r}"
            )
        if positions == "sinusoidal_fairseq" and d_model < 4:
            raise ValueError(
                f"d_model must be at least 4 with {positions} positions; received {d_model!r}"
            )
        self.vocab_size, self.d_model = vocab_size, d_model
        self.positions, self.max_positions, self.first_position = (
            positions,
            max_positions,
            first_position,
        )
        self.scale, self.two_tables, self.frozen_id = scale, two_tables, frozen_id

    def build(self, ids_shape=None):
        # autocast=False: Keras would hand `call` the matrices in half precision
        # already.
        def matrix(rows, stddev, name):
            normal = keras.initializers.RandomNormal(stddev=stddev)
            return self.add_weight(
                (rows, self.d_model), initializer=normal, autocast=False, name=name
            )

        self.embeddings = matrix(self.vocab_size, self.d_model**-0.5, "embeddings")
        if self.positions == "learned":
            self.table = matrix(self.max_positions, 1.0, "positions")
            if self.two_tables:
                self.second_table = matrix(self.max_positions, 1.0, "second_positions")

    def call(self, ids, index=0, second=False):
        if self.positions == "learned" and (ids.shape[1] or 0) > self.max_positions:
            raise ValueError(
                f"ids must hold at most max_positions={self.max_positions} positions; received {ids.shape[1]}"
            )
        # Half precision cannot tell neighbouring positions apart, so the sum is formed
        # in float32 and cast last.
        tokens_BTD = ops.cast(ops.take(self.embeddings, ids, axis=0), "float32")
        if self.frozen_id is not None:
            still_BT1 = ops.expand_dims(ops.equal(ids, self.frozen_id), axis=2)
            tokens_BTD = ops.where(still_BT1, ops.stop_gradient(tokens_BTD), tokens_BTD)
        tokens_BTD = tokens_BTD * self.d_model**0.5 if self.scale else tokens_BTD
        return ops.cast(
            tokens_BTD + self.encode(positions_of(ids) + index, second),
            self.compute_dtype,
        )

    def encode(self, positions_BT, second=False):
        """The position vectors `(B, T, D)`, float32, of integer positions `(B, T)` counted from the first token's 0."""
        if self.positions == "learned":
            table = self.second_table if second and self.two_tables else self.table
            return ops.cast(ops.take(table, positions_BT, axis=0), "float32")
        exponents = np.arange(0, self.d_model, 2) / (
            self.d_model - 2 * (self.positions == "sinusoidal_fairseq")
        )
        rates = ops.convert_to_tensor(10000.0**-exponents, dtype="float32")
        positions_BT = ops.cast(positions_BT + self.first_position, "float32")
        angles_BTI = ops.expand_dims(positions_BT, axis=-1) * rates
        sines, cosines = ops.sin(angles_BTI), ops.cos(angles_BTI)
        if self.positions != "sinusoidal":
            return ops.concatenate([sines, cosines], axis=-1)
        pairs = ops.stack([sines, cosines], axis=-1)
        return ops.reshape(pairs, (*ops.shape(positions_BT), self.d_model))

    def project(self, x, matrix=None):
        """The logits `(B, T, V)`, float32, of decoder outputs `(B, T, D)`: the product with a matrix `(V, D)`, E's."""
        matrix_VD = ops.cast(
            self.embeddings if matrix is None else matrix, self.compute_dtype
        )
        return ops.cast(
            ops.matmul(ops.cast(x, self.compute_dtype), ops.transpose(matrix_VD)),
            "float32",
        )

    def compute_output_spec(self, ids, index=0, second=False):
        return keras.KerasTensor((*ids.shape, self.d_model), dtype=self.compute_dtype)

    def get_config(self):
        names = (
            "vocab_size",
            "d_model",
            "positions",
            "max_positions",
            "first_position",
            "scale",
            "two_tables",
            "frozen_id",
        )
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
