"""An `Encoder` as a functional `keras.Model`: bare, or with a head for a task.

The inputs of all are a dictionary: `token_ids (B, S)`, padded with the config's
`pad_id` on the right, and `token_types (B, S)` where the config has more than one.
"""

import keras
from keras import ops

from ..config import expect
from ..layers.dense import Dense
from ..layers.feed_forward import activation_of
from ..layers.masks import padding_mask
from ..layers.residual import NORMS
from .encoder import Encoder
from .stack import ConfiguredLayer
from .state_kept import StateKept

MASKED_LOGIT = -1e9  # of padding


def encoder_model(encoder, pooler=None):
    """An `Encoder` alone: ids -> memory.

    Args:
        encoder: the `Encoder`; its config is an `EncoderConfig`.
        pooler: a layer that makes a text's vector from that of its first token.

    Returns:
        a `keras.Model`, whose output is `(B, S, D)`; with a pooler a dictionary of it,
        `sequence`, and of `pooled (B, D)`.

    Examples:
        >>> config = EncoderConfig(vocab_size=11, d_model=8, d_ff=16, num_heads=2)
        >>> model = encoder_model(Encoder(config))
        >>> tuple(model({"token_ids": np.array([[5, 7, 0]])}).shape)
        (1, 3, 8)
    """
    inputs = inputs_of(encoder)
    outputs = encoded(encoder, inputs)
    if pooler is not None:
        outputs = {"sequence": outputs, "pooled": pooler(first_of(outputs))}
    return StateKept(inputs, outputs, name="encoder_model")


def sequence_classifier(encoder, classes, pooler=None):
    """Logits of the classes of a text: `W dropout(tanh(V x_0)) + b`.

    Args:
        encoder: the `Encoder`; its config is an `EncoderConfig`.
        classes: number of classes C.
        pooler: the layer of V, an imported model's; a new one when absent.

    Returns:
        a `keras.Model`, whose output is `(B, C)`, float32.

    Raises:
        ValueError: if there is no class.

    Examples:
        >>> config = EncoderConfig(vocab_size=11, d_model=8, d_ff=16, num_heads=2)
        >>> model = sequence_classifier(Encoder(config), classes=3)
        >>> loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        >>> model.compile("adam", loss)
        >>> ids = np.array([[5, 7, 0], [4, 9, 6]])
        >>> history = model.fit({"token_ids": ids}, np.array([2, 0]), verbose=0)

    Source: Devlin et al. 2019 (BERT), section 4.1.
    """
    inputs = inputs_of(encoder)
    if pooler is None:
        pooler = keras.layers.Dense(
            encoder.config.d_model, "tanh", dtype=encoder.dtype_policy, name="pooler"
        )
    pooled = pooler(first_of(encoded(encoder, inputs)))
    return classifier(encoder, inputs, pooled, classes, "sequence_classifier")


def token_classifier(encoder, classes):
    """Logits of the classes of each token, as for the names in a text.

    Args:
        encoder: the `Encoder`; its config is an `EncoderConfig`.
        classes: number of classes C.

    Returns:
        a `keras.Model`, whose output is `(B, S, C)`, float32. A loss leaves padding out
        by weights.

    Raises:
        ValueError: if there is no class.

    Examples:
        >>> config = EncoderConfig(vocab_size=11, d_model=8, d_ff=16, num_heads=2)
        >>> model = token_classifier(Encoder(config), classes=3)
        >>> loss = keras.losses.SparseCategoricalCrossentropy(
        ...     from_logits=True, reduction="mean_with_sample_weight"
        ... )
        >>> model.compile("adam", loss)
        >>> ids = np.array([[5, 7, 0], [4, 9, 6]])
        >>> labels = np.array([[2, 1, 0], [0, 0, 1]])
        >>> weights = (ids != config.pad_id).astype("float32")
        >>> history = model.fit({"token_ids": ids}, labels, sample_weight=weights,
        ...     verbose=0)

    Source: Devlin et al. 2019 (BERT), section 5.3.
    """
    inputs = inputs_of(encoder)
    x = encoded(encoder, inputs)
    return classifier(encoder, inputs, x, classes, "token_classifier")


def span_classifier(encoder):
    """Logits of the first and of the last token of a span, as of an answer in a text.

    Args:
        encoder: the `Encoder`; its config is an `EncoderConfig`.

    Returns:
        a `keras.Model`, whose output is `(B, 2, S)`, float32; the labels are the two
        positions, `(B, 2)`. Padding has no chance.

    Examples:
        >>> config = EncoderConfig(vocab_size=11, d_model=8, d_ff=16, num_heads=2)
        >>> model = span_classifier(Encoder(config))
        >>> loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        >>> model.compile("adam", loss)
        >>> ids = np.array([[5, 7, 0], [4, 9, 6]])
        >>> spans = np.array([[0, 1], [1, 1]])
        >>> history = model.fit({"token_ids": ids}, spans, verbose=0)

    Source: Devlin et al. 2019 (BERT), section 4.2.
    """
    inputs = inputs_of(encoder)
    x = encoded(encoder, inputs)
    logits = keras.layers.Dense(2, dtype="float32", name="classifier")(x)
    logits = keras.layers.Permute((2, 1), dtype="float32")(logits)
    is_real = padding_mask(inputs["token_ids"], encoder.config.pad_id)
    logits = ops.where(is_real, logits, MASKED_LOGIT)
    return StateKept(inputs, logits, name="span_classifier")


def masked_language_model(encoder):
    """Logits of the token at each position, to be learned where `mask_tokens` hid it.

    Args:
        encoder: the `Encoder`; its config is an `EncoderConfig`.

    Returns:
        a `keras.Model`, whose output is `(B, S, V)`, float32.

    Examples:
        >>> config = EncoderConfig(vocab_size=11, d_model=8, d_ff=16, num_heads=2)
        >>> model = masked_language_model(Encoder(config))
        >>> loss = keras.losses.SparseCategoricalCrossentropy(
        ...     from_logits=True, reduction="mean_with_sample_weight"
        ... )
        >>> model.compile("adam", loss)
        >>> ids = np.array([[2, 5, 7, 3], [2, 9, 3, 0]])
        >>> masked, labels, weights = mask_tokens(
        ...     ids, mask_id=10, vocab_size=11, special=(0, 1, 2, 3, 10), seed=1
        ... )
        >>> history = model.fit({"token_ids": masked}, labels, sample_weight=weights,
        ...     verbose=0)

    Source: Devlin et al. 2019 (BERT), section 3.1.
    """
    inputs = inputs_of(encoder)
    name = "masked_language_model"
    layer = MaskedLanguageModel(
        encoder.config, encoder, dtype=encoder.dtype_policy, name=name
    )
    logits = layer(inputs["token_ids"], token_types=inputs.get("token_types"))
    return StateKept(inputs, logits, name=name)


@keras.saving.register_keras_serializable("keras_transformer")
class MaskedLanguageModel(ConfiguredLayer):
    """An `Encoder` and BERT's head: `LayerNorm(act(W x + b)) E^T + c`.

    They are one layer, as E is the encoder's embedding.

    Args:
        config: an `EncoderConfig`.
        encoder: the `Encoder`; a new one when absent.

    Call arguments:
        token_ids, token_types: as in `masked_language_model`.

    Returns:
        logits `(B, S, V)`, float32.

    Raises:
        ValueError: if the encoder has something else in place of its embedding.
    """

    def __init__(self, config, encoder=None, **kwargs):
        super().__init__(config, **kwargs)
        if encoder is None:
            encoder = Encoder(config, name="encoder", **self.handed_on)
        what = "have an embedding of its own"
        expect(not encoder.shares_embedding, "encoder", what, encoder.name)
        self.encoder = encoder

    def build(self, token_ids_shape, token_types_shape=None):
        config = self.config
        if not self.encoder.built:
            self.encoder.build(token_ids_shape)
        shape = (*token_ids_shape, config.d_model)
        activation = activation_of(config.activation)
        self.transform = self.make(Dense, config.d_model, activation, name="transform")
        self.transform.build(shape)
        kind = NORMS[config.norm]
        self.norm = self.make(kind, epsilon=config.layer_norm_epsilon, name="norm")
        self.norm.build(shape)
        self.bias = self.add_weight(
            (config.vocab_size,), "zeros", autocast=False, name="bias"
        )

    def call(self, token_ids, token_types=None, training=False):
        x = self.encoder(token_ids, token_types=token_types, training=training)
        x = self.norm(self.transform(x))
        return self.encoder.embedding.project(x) + self.bias

    def compute_output_shape(self, token_ids_shape, token_types_shape=None):
        return (*token_ids_shape, self.config.vocab_size)

    def compute_output_spec(self, token_ids, token_types=None, training=False):
        shape = self.compute_output_shape(token_ids.shape)
        return keras.KerasTensor(shape, dtype="float32")

    def get_config(self):
        # Its encoder may be frozen alone.
        encoder = keras.saving.serialize_keras_object(self.encoder)
        return {**super().get_config(), "encoder": encoder}

    @classmethod
    def from_config(cls, config):
        # An older file has none.
        encoder = keras.saving.deserialize_keras_object(config.get("encoder"))
        return super().from_config({**config, "encoder": encoder})


def inputs_of(encoder):
    """The inputs of an encoder's model, by name."""
    names = ["token_ids"]
    if encoder.config.token_types > 1:
        names.append("token_types")
    return {name: keras.Input((None,), dtype="int32", name=name) for name in names}


def encoded(encoder, inputs):
    """The memory `(B, S, D)` of an encoder's inputs."""
    return encoder(inputs["token_ids"], token_types=inputs.get("token_types"))


def first_of(x):
    """The first position `(B, D)` of a memory."""
    return ops.take(x, 0, axis=1)


def classifier(encoder, inputs, x, classes, name):
    """A model of inputs whose logits are a dense layer's, of x after dropout."""
    expect(classes >= 1, "classes", "be at least 1", classes)
    policy = encoder.dtype_policy
    x = keras.layers.Dropout(encoder.config.dropout, dtype=policy, name="drop")(x)
    logits = keras.layers.Dense(classes, dtype="float32", name="classifier")(x)
    return StateKept(inputs, logits, name=name)
