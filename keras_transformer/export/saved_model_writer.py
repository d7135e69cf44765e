"""The child process of `export.saved_model`, under TensorFlow: builds the graph from text to text and saves it."""

import functools
from pathlib import Path

import tensorflow as tf

from keras_transformer.config import DecodingConfig
from keras_transformer.decoding.translator import translate_ids
from keras_transformer.export.child_process import task
from keras_transformer.export.graph_tokenizer import graph_tokenizer
from keras_transformer.runs.run import Run
from keras_transformer.text.sentence_format import SentenceFormat

# Positions of the cache at first; it doubles when a translation gets longer.
FIRST_STAGE = 24
# What `BaseTranslator` takes for an empty sentence.
BLANK = r"[\s\p{Z}\x0b\x1c-\x1f\x{85}\x{2581}]*"


class TextToText(tf.Module):
    """What is saved: three signatures around one search.

    Args:
        model: a `Transformer`.
        tokenizers: those of source and target.
        config: a `DecodingConfig`.
    """

    def __init__(self, model, tokenizers, config):
        super().__init__()
        self._config, self._frame = config, SentenceFormat.of(*tokenizers)
        # As an attribute the model would be saved as well, with a second copy of its
        # weights.
        self._search_ids = functools.partial(
            translate_ids, model, config, given=self._frame.target_prefix
        )
        self._weights = [variable.value for variable in model.weights]
        self._source, self._target = map(
            graph_tokenizer, tokenizers, ("source_tokenizer", "target_tokenizer")
        )
        limit = model.config.longest or 10**9
        self._longest_source = min(config.max_source_length, limit)
        self._longest = min(self._longest_source + config.extra_length, limit)

    @tf.function(
        autograph=False,
        input_signature=[tf.TensorSpec((None,), tf.string, name="text")],
    )
    def serving_default(self, text):
        tokens, scores = self._translations(text)
        return {
            "translation": self._target.detokenize(tokens[:, 0]),
            "score": scores[:, 0],
        }

    @tf.function(
        autograph=False,
        input_signature=[tf.TensorSpec((None,), tf.string, name="text")],
    )
    def n_best(self, text):
        tokens, scores = self._translations(text)
        texts = self._target.detokenize(tf.reshape(tokens, (-1, tf.shape(tokens)[2])))
        return {
            "translations": tf.reshape(texts, tf.shape(scores)),
            "scores": scores,
            "ids": tokens,
        }

    @tf.function(
        autograph=False,
        input_signature=[tf.TensorSpec((None, None), tf.int32, name="source_ids")],
    )
    def ids(self, source_ids):
        tokens, scores = self._search(
            source_ids, tf.reduce_any(source_ids != self._frame.pad, axis=1)
        )
        return {"ids": tokens, "scores": scores}

    def _translations(self, text):
        sentence_format = self._frame
        pieces = self._source.tokenize(text)[
            :, : self._longest_source - sentence_format.around_source
        ]
        around = [
            tf.tile(tf.constant([ids], tf.int32, (1, len(ids))), (tf.shape(text)[0], 1))
            for ids in (sentence_format.source_prefix, sentence_format.source_suffix)
        ]
        source_ids = tf.concat([around[0], pieces, around[1]], axis=1).to_tensor(
            sentence_format.pad
        )
        return self._search(source_ids, ~tf.strings.regex_full_match(text, BLANK))

    @tf.function(
        autograph=False,
        input_signature=[
            tf.TensorSpec((None, None), tf.int32),
            tf.TensorSpec((None,), tf.bool),
        ],
    )
    def _search(self, source_ids, wanted):
        """Ids (B, S), whether each is to be translated (B,) -> tokens (B, W, L), L as long as the longest; scores."""
        lengths = [FIRST_STAGE]
        while lengths[-1] < self._longest:
            lengths.append(2 * lengths[-1])
        lengths = tuple(min(length, self._longest) for length in lengths)
        source_lengths = tf.reduce_sum(
            tf.cast(source_ids != self._frame.pad, tf.int32), axis=1
        )
        limits = tf.minimum(source_lengths + self._config.extra_length, self._longest)
        limits = tf.where(wanted, limits, 0)
        tokens, scores = self._search_ids(lengths, source_ids, limits)
        nothing = tf.expand_dims(~wanted, 1) & (tf.range(tf.shape(scores)[1]) == 0)
        width = tf.reduce_max(
            tf.reduce_sum(tf.cast(tokens != self._frame.pad, tf.int32), axis=2)
        )
        return tokens[:, :, :width], tf.where(nothing, 0.0, scores)


def write_warm_up(folder, sources):
    """Requests that TensorFlow Serving answers for itself before it takes others: nobody waits for the first."""
    from tensorflow_serving.apis import model_pb2, predict_pb2, prediction_log_pb2

    folder.mkdir(parents=True)
    with tf.io.TFRecordWriter(str(folder / "tf_serving_warmup_requests")) as writer:
        for texts in sources:
            for signature in ("serving_default", "n_best"):
                spec = model_pb2.ModelSpec(name="translator", signature_name=signature)
                request = predict_pb2.PredictRequest(
                    model_spec=spec,
                    inputs={"text": tf.make_tensor_proto(texts, dtype=tf.string)},
                )
                log = prediction_log_pb2.PredictionLog(
                    predict_log=prediction_log_pb2.PredictLog(request=request)
                )
                writer.write(log.SerializeToString())


def main():
    with task() as given:
        out, search = Path(given["out"]), DecodingConfig(**given["search"])
        run = Run.open(given["run"])
        module = TextToText(run.model("float32"), run.tokenizers, search)
        signatures = {
            name: getattr(module, name) for name in ("serving_default", "n_best", "ids")
        }
        tf.saved_model.save(module, str(out / "1"), signatures=signatures)
        write_warm_up(out / "1" / "assets.extra", given["warm_up"])


if __name__ == "__main__":
    main()
