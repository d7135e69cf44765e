"""What a model file means to the backend in use.

python other_backend.py FILE.keras INPUTS.npz OUTPUTS.npz
"""

import sys

import keras
import numpy as np

import keras_transformer  # noqa: F401  Keras then knows its classes


def read(path, inputs):
    """Logits, and the optimizer's variables.

    The file is opened as facts about Keras demand: compiled anew, then loaded.
    """
    model = keras.models.load_model(path, compile=False)
    ids = {name: inputs[name] for name in ("source_ids", "target_ids")}
    found = {"logits": keras.ops.convert_to_numpy(model(ids))}
    model.compile(keras.optimizers.Adam(1e-3))
    model.optimizer.build(model.trainable_variables)
    model.load_weights(path)
    for n, variable in enumerate(model.optimizer.variables):
        found[f"state_{n}"] = keras.ops.convert_to_numpy(variable)
    return found


if __name__ == "__main__":
    path, inputs, outputs = sys.argv[1:]
    np.savez(outputs, **read(path, np.load(inputs)))
