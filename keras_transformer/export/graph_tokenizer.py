"""Tokenizers as TensorFlow graphs: what a SavedModel has in it, ids equal to those of the Python classes."""

import re

import numpy as np
import tensorflow as tf
import tensorflow_text

from keras_transformer.pretrained.tokenizers.marian import MarianTokenizer
from keras_transformer.pretrained.tokenizers.multilingual import (
    NO_NORMALISER,
    SPACE,
    WHITE,
    MultilingualTokenizer,
)
from keras_transformer.text.tokenizer import Tokenizer

# Appended to a model, these bytes leave its normaliser the characters and take the
# spaces from it.
ONLY_CHARACTERS = bytes([0x1A, 6, 0x18, 0, 0x20, 0, 0x28, 0])
BLANKS = f"[{WHITE}]+"
# Unknown to every model as NUL is, where the operation would end the text.
NOT_A_CHARACTER = "\U0010ffff"


def graph_tokenizer(tokenizer, name):
    """A tokenizer whose `tokenize` and `detokenize` are operations of TensorFlow.

    Its ids are the tokenizer's but for ties: tensorflow-text has an older
    SentencePiece, which decides otherwise between cuts of the same score. In a unigram
    model a run of one character may have such, `. ..` and `.. .` for three dots; in one
    of BPE nothing has.

    Args:
        tokenizer: a `Tokenizer`, `MarianTokenizer` or `MultilingualTokenizer`.
        name: a name of its own: with equal ones, two are read from a SavedModel as one.

    Returns:
        an object to keep as an attribute of what is saved.

    Raises:
        ValueError: if the tokenizer is another one.
    """
    if isinstance(tokenizer, Tokenizer):
        return tensorflow_text.SentencepieceTokenizer(tokenizer.serialized, name=name)
    kinds = {MarianTokenizer: MarianGraph, MultilingualTokenizer: MultilingualGraph}
    if type(tokenizer) not in kinds:
        raise ValueError(
            f"tokenizer must be SentencePiece's, Marian's or a multilingual one to be in a graph; "
            f"received {type(tokenizer).__name__}"
        )
    return kinds[type(tokenizer)](tokenizer, name)


class CheckpointGraph(tf.Module):
    """What `CheckpointTokenizer` is outside a graph.

    Args:
        tokenizer: a `CheckpointTokenizer`.
        name: a name of its own.
    """

    def __init__(self, tokenizer, name):
        super().__init__(name=name)
        vocabulary = tokenizer.vocabulary
        self._marks = f"({'|'.join(map(_escaped, sorted(vocabulary.marks, key=len, reverse=True)))})"
        self._has_marks = bool(vocabulary.marks)
        self._pieces = tf.constant(vocabulary.pieces)
        numbers = np.arange(len(vocabulary.pieces), dtype="int32")
        initializer = tf.lookup.KeyValueTensorInitializer(self._pieces, numbers)
        self._ids = tf.lookup.StaticHashTable(initializer, tokenizer.special.unknown)
        self._skipped = tf.constant(np.isin(numbers, sorted(vocabulary.skipped)))

    def tokenize(self, text):
        """Lines (B,) -> ids (B, None), ragged."""
        lines = self._prepared(tf.strings.regex_replace(text, r"\x00", NOT_A_CHARACTER))
        if not self._has_marks:
            return self._ids.lookup(self._cut(lines))
        parts = tensorflow_text.regex_split(lines, self._marks, self._marks)
        flat = parts.flat_values
        is_mark = tf.strings.regex_full_match(flat, self._marks)
        cut = self._cut(tf.where(is_mark, "", flat))
        itself = tf.RaggedTensor.from_tensor(tf.expand_dims(flat, 1))
        marks = tf.ragged.boolean_mask(itself, tf.expand_dims(is_mark, 1))
        return self._ids.lookup(
            parts.with_flat_values(tf.concat([marks, cut], axis=1)).merge_dims(1, 2)
        )

    def detokenize(self, ids):
        """Ids (B, T) -> texts (B,)."""
        ids = (
            ids
            if isinstance(ids, tf.RaggedTensor)
            else tf.RaggedTensor.from_tensor(ids)
        )
        shown = tf.ragged.boolean_mask(
            ids, ids.with_flat_values(~tf.gather(self._skipped, ids.flat_values))
        )
        return self._joined(
            shown.with_flat_values(tf.gather(self._pieces, shown.flat_values))
        )

    def _prepared(self, text):
        return text

    def _cut(self, texts):
        """Texts (N,) -> pieces (N, None), ragged; none for an empty text."""
        raise NotImplementedError

    def _joined(self, pieces):
        """Pieces (N, None), ragged -> texts (N,)."""
        raise NotImplementedError


class MarianGraph(CheckpointGraph):
    """`MarianTokenizer` as a graph."""

    def __init__(self, tokenizer, name):
        super().__init__(tokenizer, name)
        self._encoder, self._decoder = (
            _sentencepiece(tokenizer.models[f"{side}.spm"], f"{name}_{side}")
            for side in ("encoder", "decoder")
        )

    def _cut(self, texts):
        has_code = tf.strings.regex_full_match(texts, "(?s)>>.*?<<.*")
        code = tf.expand_dims(
            tf.strings.regex_replace(texts, "(?s)(<<).*", r"\1", replace_global=False),
            1,
        )
        code = tf.ragged.boolean_mask(
            tf.RaggedTensor.from_tensor(code), tf.expand_dims(has_code, 1)
        )
        rest = tf.strings.regex_replace(texts, "(?s)^>>.*?<<", "", replace_global=False)
        return tf.concat([code, self._encoder.tokenize(rest)], axis=1)

    def _joined(self, pieces):
        return _stripped(
            tf.strings.regex_replace(self._decoder.detokenize(pieces), SPACE, " ")
        )


class MultilingualGraph(CheckpointGraph):
    """`MultilingualTokenizer` as a graph."""

    def __init__(self, tokenizer, name):
        super().__init__(tokenizer, name)
        model, options = tokenizer.models["text.spm"], tokenizer.options
        self._rule, self._mask = options["rule"], options["mask"]
        self._late = options["late_mask"]
        own = b"" if self._rule == "sentencepiece" else NO_NORMALISER
        self._sentencepiece = _sentencepiece(model + own, f"{name}_pieces")
        # The pieces of a text, joined, are the text with its characters normalised.
        if self._rule == "characters":
            self._characters = _sentencepiece(
                model + ONLY_CHARACTERS, f"{name}_characters"
            )

    def _prepared(self, text):
        return (
            self._without_spaces_before_mask(text)
            if self._mask and not self._late
            else text
        )

    def _without_spaces_before_mask(self, text):
        return tf.strings.regex_replace(
            text, f"{BLANKS}({_escaped(self._mask)})", r"\1"
        )

    def _cut(self, texts):
        if self._rule == "sentencepiece":
            return self._sentencepiece.tokenize(texts)
        if self._rule == "words":
            texts = tf.strings.regex_replace(texts, f"^{BLANKS}|{BLANKS}$", "")
            return self._cut_words(
                tf.strings.regex_replace(texts, f"{BLANKS}{SPACE}?", SPACE)
            )
        texts = tf.strings.reduce_join(self._characters.tokenize(texts), axis=1)
        texts = tf.strings.regex_replace(texts, " {2,}", " ")
        if not self._late:
            return self._cut_words(texts)
        mask = _escaped(self._mask)
        parts = tensorflow_text.regex_split(
            self._without_spaces_before_mask(texts), mask, mask
        )
        flat = parts.flat_values
        is_mask = flat == self._mask
        itself = tf.ragged.boolean_mask(
            tf.RaggedTensor.from_tensor(flat[:, None]), is_mask[:, None]
        )
        cut = tf.concat([itself, self._cut_words(tf.where(is_mask, "", flat))], axis=1)
        return parts.with_flat_values(cut).merge_dims(1, 2)

    def _cut_words(self, texts):
        spelled = tf.strings.regex_replace(texts, " ", SPACE)
        begins = tf.strings.regex_full_match(spelled, f"(?s)({SPACE}.*)?")
        spelled = tf.where(begins, spelled, SPACE + spelled)
        words = tensorflow_text.regex_split(
            spelled, f"{SPACE}[^{SPACE}]*", f"{SPACE}[^{SPACE}]*"
        )
        return words.with_flat_values(
            self._sentencepiece.tokenize(words.flat_values)
        ).merge_dims(1, 2)

    def _joined(self, pieces):
        if self._rule == "sentencepiece":
            return _stripped(self._sentencepiece.detokenize(pieces))
        first = tf.strings.regex_replace(
            tf.strings.reduce_join(pieces[:, :1], axis=1), SPACE, ""
        )
        return first + tf.strings.regex_replace(
            tf.strings.reduce_join(pieces[:, 1:], axis=1), SPACE, " "
        )


def _sentencepiece(model, name):
    return tensorflow_text.SentencepieceTokenizer(model, out_type=tf.string, name=name)


def _stripped(texts):
    """Without the spaces at both ends that Python's `str.strip` takes away."""
    blanks = f"[{WHITE}\x1c-\x1f]+"
    return tf.strings.regex_replace(texts, f"^{blanks}|{blanks}$", "")


def _escaped(text):
    """A pattern of RE2 that matches this text alone."""
    return re.sub(r"([^\w\s]|_)", r"\\\1", text, flags=re.ASCII)
