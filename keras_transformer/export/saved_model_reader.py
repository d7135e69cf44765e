"""Asks a SavedModel: `python saved_model_reader.py FOLDER`, a line of JSON a request. Needs TensorFlow, and not us.

{"signature": "serving_default", "inputs": {"text": ["A sentence."]}}   ->   {"translation": [...], "score": [...]}
"""

import json
import sys

import numpy as np
import tensorflow as tf
import tensorflow_text  # noqa: F401  (registers the operations of SentencePiece)

decoded = np.vectorize(lambda text: text.decode("utf-8", "replace"), otypes=[object])


def answer(loaded, request):
    """The outputs of a signature as lists; strings are decoded."""
    signature = loaded.signatures[request["signature"]]
    _, specs = signature.structured_input_signature
    inputs = {
        name: tf.constant(value, specs[name].dtype)
        for name, value in request["inputs"].items()
    }
    outputs = {name: value.numpy() for name, value in signature(**inputs).items()}
    return {
        name: (decoded(value) if value.dtype == object else value).tolist()
        for name, value in outputs.items()
    }


if __name__ == "__main__":
    model = tf.saved_model.load(sys.argv[1])
    for line in sys.stdin:
        print(json.dumps(answer(model, json.loads(line))), flush=True)
