"""What is compiled follows its model: other variables make it begin anew."""

import keras
import numpy as np
from keras import ops

from keras_transformer.decoding import compiled


def test_lora_and_int8_are_seen_by_what_was_compiled_before(monkeypatch):
    monkeypatch.setattr(compiled, "OFTEN", 0)
    layer = keras.layers.Dense(4)
    layer.build((None, 4))

    def apply(x):
        return (layer(x),)

    def with_lora():
        layer.enable_lora(2)
        layer.lora_kernel_b.assign(ops.ones((2, 4)))

    def with_int8():
        layer.quantize("int8")

    call = compiled.compiled(apply, layer)
    x = ops.ones((2, 4))
    results = []
    for change in (None, with_lora, with_int8):
        if change is not None:
            change()
        for _ in range(2):
            (found,) = call(x)
        expected = ops.convert_to_numpy(layer(x))
        np.testing.assert_allclose(ops.convert_to_numpy(found), expected, atol=1e-5)
        results.append(expected)
    assert np.abs(results[1] - results[0]).min() > 1e-3
    assert np.abs(results[2] - results[1]).max() > 1e-4
