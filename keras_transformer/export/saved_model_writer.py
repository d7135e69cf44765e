"""The child process of `export.saved_model`, under TensorFlow: text to text."""

import itertools
from pathlib import Path

import tensorflow as tf

from ..config import DecodingConfig
from ..decoding.ensemble import model_of_runs
from ..decoding.translation_search import TranslationSearch
from ..process.child_process import given_task
from ..runs.run import Run
from ..text.normalization import BLANK
from ..text.sentence_format import SentenceFormat
from .graph_search import (
    GraphSearch,
    requests_of_all_shapes,
    search_by_xla,
    widths_up_to,
)
from .graph_tokenizer import graph_tokenizer

# Positions of the cache at first; it doubles when a translation gets longer.
FIRST_STAGE = 24
TEXT = tf.TensorSpec((None,), tf.string, "text")
SIGNATURES = ("serving_default", "n_best")


class TextToText(tf.Module):
    """What is saved: two signatures around one search."""

    def __init__(self, model, tokenizers, config, xla):
        super().__init__()
        self._extra_length = config.extra_length
        self._format = SentenceFormat.of(*tokenizers)
        source, target = tokenizers
        self._source = graph_tokenizer(source, "source_tokenizer")
        self._target = graph_tokenizer(target, "target_tokenizer")
        limit = model.config.longest or 10**9
        self._longest_source = min(config.longest_source, limit)
        self._longest = min(self._longest_source + config.extra_length, limit)
        stages = {min(FIRST_STAGE * 2**n, self._longest) for n in range(32)}
        # As an attribute the model would be saved as well, with a second copy of its
        # weights.
        task = TranslationSearch(model, config, self._format.target_prefix)
        self._search = GraphSearch(task, sorted(stages))
        self.widths = widths_up_to(self._longest_source) if xla else []
        if xla:
            self._search = search_by_xla(task, self.widths, self._search)
        self._weights = [variable.value for variable in model.weights]

    @tf.function(autograph=False, input_signature=[TEXT])
    def serving_default(self, text):
        found = self.n_best(text)
        return {
            "translation": found["translations"][:, 0],
            "score": found["scores"][:, 0],
        }

    @tf.function(autograph=False, input_signature=[TEXT])
    def n_best(self, text):
        form = self._format
        count = tf.size(text)
        # What is searched are the texts, or one that is empty.
        more = tf.fill([tf.cast(count == 0, tf.int32)], "")
        text = tf.concat([text, more], axis=0)
        ids = self._source.tokenize(text)
        parts = [ids[:, : self._longest_source - form.around_source]]
        for place, around in ((0, form.source_prefix), (2, form.source_suffix)):
            row = tf.constant([around], tf.int32, (1, len(around)))
            parts.insert(place, tf.repeat(row, tf.shape(text)[0], axis=0))
        source_ids = tf.concat(parts, axis=1).to_tensor(form.special.pad)
        # As in `BaseTranslator`.
        is_blank = tf.strings.regex_full_match(text, BLANK)
        wanted = ~is_blank & (ids.row_lengths() > 0)
        limits = self._count(source_ids) + self._extra_length
        limits = tf.where(wanted, tf.minimum(limits, self._longest), 0)
        ids, scores = self._search(source_ids, limits)
        ids = ids[:, :, : tf.reduce_max(self._count(ids))]
        texts = self._target.detokenize(tf.reshape(ids, (-1, tf.shape(ids)[2])))
        texts = tf.reshape(texts, tf.shape(scores))
        # The first hypothesis of an empty text is the empty one.
        nothing = tf.expand_dims(~wanted, 1) & (tf.range(tf.shape(scores)[1]) == 0)
        scores = tf.where(nothing, 0.0, scores)
        found = {"translations": texts, "scores": scores, "ids": ids}
        return {name: rows[:count] for name, rows in found.items()}

    def width_of(self, text):
        """How many tokens a text has in the model's array."""
        ids = self._source.tokenize([text])
        return int(ids.row_lengths()[0]) + self._format.around_source

    def _count(self, ids):
        """How many ids of each row are no padding."""
        is_real = ids != self._format.special.pad
        return tf.reduce_sum(tf.cast(is_real, tf.int32), axis=-1)


def write_warm_up(folder, requests):
    """Write requests that TensorFlow Serving answers for itself before it takes others.

    So nobody waits for the first one.
    """
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

    folder.mkdir()
    with tf.io.TFRecordWriter(str(folder / "tf_serving_warmup_requests")) as writer:
        for texts, signature in itertools.product(requests, SIGNATURES):
            log = PredictionLog()
            request = log.predict_log.request
            request.model_spec.name = "translator"
            request.model_spec.signature_name = signature
            request.inputs["text"].CopyFrom(tf.make_tensor_proto(texts))
            writer.write(log.SerializeToString())


def main():
    paths, out, search, xla, sources = given_task()
    runs = [Run.open(path) for path in paths]
    model = model_of_runs(runs, "float32")
    search = DecodingConfig(**search)
    module = TextToText(model, runs[0].tokenizers, search, xla)
    signatures = {name: getattr(module, name) for name in SIGNATURES}
    saved = Path(out) / "1"
    tf.saved_model.save(module, str(saved), signatures=signatures)
    texts = itertools.chain(*sources)
    requests = requests_of_all_shapes(texts, module.widths, module.width_of)
    write_warm_up(saved / "assets.extra", [*sources, *requests])


if __name__ == "__main__":
    main()
