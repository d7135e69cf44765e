"""The child process of `export.saved_model`, under TensorFlow: text to text."""

import itertools
from pathlib import Path

import tensorflow as tf

from keras_transformer.config import DecodingConfig
from keras_transformer.decoding.translator import translate_ids
from keras_transformer.export.child_process import given_task
from keras_transformer.export.graph_tokenizer import graph_tokenizer
from keras_transformer.runs.run import Run
from keras_transformer.text.sentence_format import SentenceFormat

# Positions of the cache at first; it doubles when a translation gets longer.
FIRST_STAGE = 24
# What `BaseTranslator` takes for an empty sentence.
BLANK = r"[\s\p{Z}\x0b\x1c-\x1f\x{85}\x{2581}]*"
TEXT = tf.TensorSpec((None,), tf.string, "text")
SIGNATURES = ("serving_default", "n_best")


class TextToText(tf.Module):
    """What is saved: two signatures around one search."""

    def __init__(self, model, tokenizers, config):
        super().__init__()
        self._config = config
        self._format = SentenceFormat.of(*tokenizers)
        self._source = graph_tokenizer(tokenizers[0], "source_tokenizer")
        self._target = graph_tokenizer(tokenizers[1], "target_tokenizer")
        limit = model.config.longest or 10**9
        self._longest_source = min(config.max_source_length, limit)
        self._longest = min(self._longest_source + config.extra_length, limit)
        stages = {min(FIRST_STAGE * 2**n, self._longest) for n in range(32)}
        lengths = tuple(sorted(stages))
        prefix = self._format.target_prefix

        def search(source_ids, limits):
            options = dict(lengths=lengths, target_prefix=prefix)
            return translate_ids(model, config, source_ids, limits, **options)

        # As an attribute the model would be saved as well, with a second copy of its
        # weights.
        self._search_ids = search
        self._weights = [variable.value for variable in model.weights]

    @tf.function(autograph=False, input_signature=[TEXT])
    def serving_default(self, text):
        found = self.n_best(text)
        best = {"translation": found["translations"], "score": found["scores"]}
        return {name: each[:, 0] for name, each in best.items()}

    @tf.function(autograph=False, input_signature=[TEXT])
    def n_best(self, text):
        ids = self._source.tokenize(text)
        ids = ids[:, : self._longest_source - self._format.around_source]
        parts = [self._format.source_prefix, ids, self._format.source_suffix]
        for place in (0, 2):
            shape = (tf.shape(text)[0], len(parts[place]))
            parts[place] = tf.broadcast_to(tf.constant(parts[place], tf.int32), shape)
        source_ids = tf.concat(parts, axis=1).to_tensor(self._format.special.pad)
        wanted = ~tf.strings.regex_full_match(text, BLANK)
        limits = self._count(source_ids) + self._config.extra_length
        limits = tf.where(wanted, tf.minimum(limits, self._longest), 0)
        ids, scores = self._search_ids(source_ids, limits)
        ids = ids[:, :, : tf.reduce_max(self._count(ids))]
        texts = self._target.detokenize(tf.reshape(ids, (-1, tf.shape(ids)[2])))
        texts = tf.reshape(texts, tf.shape(scores))
        # The first hypothesis of an empty text is the empty one.
        nothing = tf.expand_dims(~wanted, 1) & (tf.range(tf.shape(scores)[1]) == 0)
        scores = tf.where(nothing, 0.0, scores)
        return {"translations": texts, "scores": scores, "ids": ids}

    def _count(self, ids):
        """How many ids of each row are no padding."""
        is_real = ids != self._format.special.pad
        return tf.reduce_sum(tf.cast(is_real, tf.int32), axis=-1)


def write_warm_up(folder, sources):
    """Write requests that TensorFlow Serving answers for itself before it takes others.

    So nobody waits for the first one.
    """
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

    folder.mkdir()
    with tf.io.TFRecordWriter(str(folder / "tf_serving_warmup_requests")) as writer:
        for texts, signature in itertools.product(sources, SIGNATURES):
            log = PredictionLog()
            request = log.predict_log.request
            request.model_spec.name = "translator"
            request.model_spec.signature_name = signature
            tensor = tf.make_tensor_proto(texts, dtype=tf.string)
            request.inputs["text"].CopyFrom(tensor)
            writer.write(log.SerializeToString())


def main():
    task = given_task()
    run = Run.open(task["run"])
    search = DecodingConfig(**task["search"])
    module = TextToText(run.model("float32"), run.tokenizers, search)
    signatures = {name: getattr(module, name) for name in SIGNATURES}
    tf.saved_model.save(module, task["out"], signatures=signatures)
    write_warm_up(Path(task["out"]) / "assets.extra", task["warm_up"])


if __name__ == "__main__":
    main()
