"""Asks a SavedModel: `python saved_model_reader.py FOLDER REQUESTS`.

Needs TensorFlow, and not us. Requests and what is printed are JSON:

    [["serving_default", {"text": ["A sentence."]}]]
    [{"translation": [...], "score": [...]}]
"""

import json
import sys

import tensorflow as tf
import tensorflow_text  # noqa: F401  (registers the operations of SentencePiece)


def answer(loaded, signature, inputs):
    """The outputs of a signature as lists."""
    tensors = {name: tf.constant(value, tf.string) for name, value in inputs.items()}
    outputs = loaded.signatures[signature](**tensors)
    return {name: tensor.numpy().tolist() for name, tensor in outputs.items()}


def decoded(text):
    return text.decode("utf-8", "replace")


if __name__ == "__main__":
    model = tf.saved_model.load(sys.argv[1])
    answers = [answer(model, *request) for request in json.loads(sys.argv[2])]
    print(json.dumps(answers, default=decoded))
