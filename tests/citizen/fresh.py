"""What a fresh process does: import in some order, open models, say what they give.

    python fresh.py ORDER FOLDER

FOLDER holds models as `*.keras` and the arrays to call them on, with the outputs that
they gave when they were saved, and the states of their optimizers, as `*.npz`.
"""

import importlib
import sys
from pathlib import Path

import numpy as np

ORDERS = {
    "ours_first": ("keras_transformer", "keras"),
    "keras_first": ("keras", "keras_transformer"),
    "translator": ("keras_transformer.decoding.translator",),
    "layers": ("keras_transformer.layers.encoder_block",),
    "training": ("keras_transformer.training.loss",),
}


def main(order, folder):
    if order == "translator":
        from keras_transformer import Translator  # noqa: F401
    else:
        for module in ORDERS[order]:
            importlib.import_module(module)
    import keras

    for path in sorted(Path(folder).glob("*.keras")):
        model = keras.models.load_model(path)
        arrays = dict(np.load(path.with_suffix(".npz")))
        expected = arrays.pop("output")
        names = [name for name in arrays if name.startswith("state_")]
        states = [arrays.pop(name) for name in names]
        output = keras.ops.convert_to_numpy(model(arrays))
        np.testing.assert_allclose(output, expected, atol=1e-5)
        is_compiled = path.stem in ("compiled", "functional")
        assert model.compiled == is_compiled, path
        if is_compiled:
            names = type(model.optimizer).__name__, type(model.loss).__name__
            assert names == ("Adam", "LabelSmoothedCrossEntropy"), names
            schedule = model.optimizer._learning_rate
            assert type(schedule).__name__ == "WarmupSchedule"
            for variable, state in zip(model.optimizer.variables, states, strict=True):
                found = keras.ops.convert_to_numpy(variable)
                np.testing.assert_array_equal(found, state)
    print("opened")


if __name__ == "__main__":
    main(*sys.argv[1:])
