"""Asks a SavedModel: `python saved_model_reader.py FOLDER REQUESTS`.

Needs TensorFlow, and not us. Requests and what is printed are JSON:

    [["serving_default", {"text": ["A sentence."]}]]
    [{"translation": [...], "score": [...]}]
"""

import json
import sys

import numpy as np
import tensorflow as tf
import tensorflow_text  # noqa: F401  (registers the operations of SentencePiece)

decoded = np.vectorize(lambda text: text.decode("utf-8", "replace"), otypes=[object])


def answer(loaded, signature, inputs):
    """The outputs of a signature as lists; strings are decoded."""
    function = loaded.signatures[signature]
    _, specs = function.structured_input_signature
    tensors = {
        name: tf.constant(value, specs[name].dtype) for name, value in inputs.items()
    }
    lists = {}
    for name, tensor in function(**tensors).items():
        array = tensor.numpy()
        lists[name] = (decoded(array) if array.dtype == object else array).tolist()
    return lists


if __name__ == "__main__":
    model = tf.saved_model.load(sys.argv[1])
    print(json.dumps([answer(model, *each) for each in json.loads(sys.argv[2])]))
