"""`python other_backend.py FILE.keras INPUTS.npz OUTPUTS.npz`: what a model file means to the backend in use."""

import sys

import keras
import numpy as np

import keras_transformer.models  # noqa: F401  the file names its classes


def read(path, inputs):
    """Logits, and the optimizer's variables, opened as facts about Keras demand: compiled anew, then loaded."""
    model = keras.models.load_model(path, compile=False)
    logits = keras.ops.convert_to_numpy(
        model({name: inputs[name] for name in ("source_ids", "target_ids")})
    )
    model.compile(keras.optimizers.Adam(1e-3))
    model.optimizer.build(model.trainable_variables)
    model.load_weights(path)
    state = [
        keras.ops.convert_to_numpy(variable) for variable in model.optimizer.variables
    ]
    return {"logits": logits, **{f"state_{n}": value for n, value in enumerate(state)}}


if __name__ == "__main__":
    path, inputs, outputs = sys.argv[1:]
    np.savez(outputs, **read(path, np.load(inputs)))
