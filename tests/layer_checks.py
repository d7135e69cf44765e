"""What many tests need.

These are the checks that every layer must pass, weights that are the same on every
backend, gradients, and whole searches.
"""

import keras
import numpy as np
import pytest
from keras import ops, tree

from keras_transformer.decoding.compiled import for_jax
from keras_transformer.decoding.loop import run
from keras_transformer.decoding.translation_search import TranslationSearch

# The marks of what would cost the others much: it is shown on torch, which compiles
# nothing, and on the others when slow tests are asked for.
ON_TORCH = [] if keras.backend.backend() == "torch" else [pytest.mark.slow]
# Of what JAX compiles longest, and the other two show.
NOT_ON_JAX = [pytest.mark.slow] if keras.backend.backend() == "jax" else []
SEARCHES = ("beam", "greedy", "sampling")


def marked(marks):
    """A decorator that gives a test some marks, or none."""

    def apply(test):
        for mark in marks:
            test = mark(test)
        return test

    return apply


def some_slow(variants, slow):
    """The variants of a test, some of which are slow."""
    return [
        pytest.param(one, marks=pytest.mark.slow) if one in slow else one
        for one in variants
    ]


def numpy(x):
    """Tensor to NumPy, bfloat16 as float32."""
    return ops.convert_to_numpy(ops.cast(x, "float32"))


def whole(function, layer):
    """A function of arrays that calls a layer, as JAX compiles it fastest: at once.

    Otherwise JAX compiles each operation, for each shape, which takes several times as
    long. The function may change no variable.
    """
    if keras.backend.backend() != "jax":
        return function
    return for_jax(function, layer)


def first(outputs):
    """The main output of a layer that returns several."""
    return outputs[0] if isinstance(outputs, tuple) else outputs


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def randomise(layer, seed=0):
    """Set every weight, norms and biases too, from NumPy.

    The same seed gives other weights on another backend.
    """
    random = np.random.default_rng(seed)
    for weight in layer.weights:
        noise = random.normal(size=weight.shape)
        if weight.name in ("gamma", "beta", "bias"):
            weight.assign(0.1 * noise + (weight.name == "gamma"))
        else:
            weight.assign(noise * max(weight.shape) ** -0.5)
    return layer


def check_layer(make, *inputs):
    """Check what must hold of every layer.

    `make(**options)` gives a new layer; `inputs` are the arrays that it is called on.
    """
    layer = make()
    output = first(layer(*inputs))

    copy = type(layer).from_config(layer.get_config())
    copy(*inputs)
    copy.set_weights(randomise(layer).get_weights())
    assert copy.get_config() == layer.get_config()
    np.testing.assert_allclose(
        numpy(first(copy(*inputs))), numpy(first(layer(*inputs))), atol=1e-6
    )

    for batch in (inputs[0].shape[0], None):
        symbols = [
            keras.KerasTensor((batch, *x.shape[1:]), dtype=x.dtype.name) for x in inputs
        ]
        symbolic = make()(*symbols)
        assert first(symbolic).shape == (batch, *output.shape[1:])
        assert (
            first(symbolic).dtype
            == keras.backend.standardize_dtype(output.dtype)
            == "float32"
        )
    tree.assert_same_structure(
        symbolic, tree.map_structure(lambda x: 0, make()(*inputs))
    )

    half = make(dtype="mixed_bfloat16")
    assert keras.backend.standardize_dtype(first(half(*inputs)).dtype) == "bfloat16"
    assert {weight.dtype for weight in half.weights} == {"float32"}

    arguments = [keras.Input(x.shape[1:], dtype=x.dtype.name) for x in inputs]
    model = keras.Model(arguments, first(layer(*arguments)))
    before = layer.get_weights()
    model.compile(keras.optimizers.SGD(0.1), "mse")
    model.fit(
        list(inputs),
        normal(*output.shape, seed=1),
        batch_size=len(output),
        epochs=1,
        verbose=0,
    )
    for weight, old, new in zip(
        layer.weights, before, layer.get_weights(), strict=True
    ):
        assert np.isfinite(new).all() and np.any(old != new), (
            f"{weight.path} did not learn"
        )


def gradient(function, x):
    """d function / d x of a scalar function, by the backend in use."""
    if keras.backend.backend() == "jax":
        import jax

        return np.asarray(jax.jit(jax.grad(function))(x))
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        x = tf.Variable(x)
        with tf.GradientTape() as tape:
            y = function(x)
        return tape.gradient(y, x).numpy()
    import torch

    x = torch.tensor(x, requires_grad=True)
    return torch.autograd.grad(function(x), x)[0].numpy()


def translate_ids(model, config, *arrays, lengths=None, **options):
    """The ids and scores that a `TranslationSearch` finds, as one graph."""
    task = TranslationSearch(model, config, **options)
    lengths = lengths or task.lengths(*arrays)
    request, state = task.begin(*arrays, lengths=lengths)
    return task.search.result(run(task.search, request, state, lengths))
