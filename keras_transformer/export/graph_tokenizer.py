"""Tokenizers as TensorFlow graphs, for a SavedModel: same ids as the Python classes."""

import numpy as np
import tensorflow as tf
import tensorflow_text

from ..pretrained.tokenizers.files import MASK
from ..pretrained.tokenizers.multilingual import (
    NO_NORMALISER,
    SPACE,
    WHITE,
)

# Appended to a model, these bytes leave its normaliser the characters and take the
# spaces from it.
ONLY_CHARACTERS = bytes([0x1A, 6, 0x18, 0, 0x20, 0, 0x28, 0])
BLANKS = f"[{WHITE}]+"
# What Python's `str.strip` takes away.
STRIPPED = f"[{WHITE}\x1c-\x1f]+"
# Unknown to every model as NUL is, where the operation would end the text.
NOT_A_CHARACTER = "\U0010ffff"

replace = tf.strings.regex_replace


def graph_tokenizer(tokenizer, name):
    """A tokenizer whose `tokenize` and `detokenize` are operations of TensorFlow.

    Its ids are the tokenizer's but for ties: tensorflow-text has an older
    SentencePiece, which decides otherwise between cuts of the same score. In a unigram
    model a run of one character may have such, `. ..` and `.. .` for three dots; in one
    of BPE nothing has. With equal names, two are read from a SavedModel as one.
    """
    return GRAPHS[tokenizer.kind](tokenizer, name)


class OwnGraph(tf.Module):
    """`Tokenizer` as a graph."""

    def __init__(self, tokenizer, name):
        super().__init__(name=name)
        model = tokenizer.serialized
        self._model = tensorflow_text.SentencepieceTokenizer(model, name=name)
        self.detokenize = self._model.detokenize

    def tokenize(self, text):
        """Lines (B,) -> ids (B, None), ragged."""
        return self._model.tokenize(replace(text, r"\x00", ""))


class CheckpointGraph(tf.Module):
    """What `CheckpointTokenizer` is outside a graph.

    A subclass has `_cut`, texts (N,) -> pieces (N, None), and `_join`, its inverse;
    pieces are ragged.
    """

    def __init__(self, tokenizer, name):
        super().__init__(name=name)
        vocabulary = tokenizer.vocabulary
        self._marks = tokenizer.marks
        self._pieces = tf.constant(vocabulary.pieces)
        ids = np.arange(tokenizer.vocab_size, dtype="int32")
        table = tf.lookup.KeyValueTensorInitializer(self._pieces, ids)
        self._ids = tf.lookup.StaticHashTable(table, tokenizer.special.unknown)
        self._shown = tf.constant(~np.isin(ids, [*vocabulary.skipped]))

    def tokenize(self, text):
        """Lines (B,) -> ids (B, None), ragged."""
        lines = replace(text, r"\x00", NOT_A_CHARACTER)
        parts = _split(lines, self._marks)
        texts = parts.flat_values
        is_mark = tf.strings.regex_full_match(texts, self._marks)
        cut = self._cut(tf.where(is_mark, "", texts))
        pieces = tf.concat([_where(is_mark, texts), cut], axis=1)
        pieces = parts.with_flat_values(pieces).merge_dims(1, 2)
        return self._ids.lookup(pieces)

    def detokenize(self, ids):
        """Ids (B, T) -> texts (B,)."""
        if not isinstance(ids, tf.RaggedTensor):
            ids = tf.RaggedTensor.from_tensor(ids)
        is_shown = ids.with_flat_values(tf.gather(self._shown, ids.flat_values))
        shown = tf.ragged.boolean_mask(ids, is_shown)
        return self._join(tf.gather(self._pieces, shown))


class MarianGraph(CheckpointGraph):
    """`MarianTokenizer` as a graph."""

    def __init__(self, tokenizer, name):
        super().__init__(tokenizer, name)
        models = tokenizer.models
        self._encoder = _sentencepiece(models["encoder.spm"], f"{name}_encoder")
        self._decoder = _sentencepiece(models["decoder.spm"], f"{name}_decoder")

    def _cut(self, texts):
        has_code = tf.strings.regex_full_match(texts, "(?s)>>.*?<<.*")
        code = replace(texts, "(?s)(<<).*", r"\1", replace_global=False)
        rest = replace(texts, "(?s)^>>.*?<<", "", replace_global=False)
        pieces = self._encoder.tokenize(rest)
        return tf.concat([_where(has_code, code), pieces], axis=1)

    def _join(self, pieces):
        return _strip(replace(self._decoder.detokenize(pieces), SPACE, " "))


class MultilingualGraph(CheckpointGraph):
    """`MultilingualTokenizer` as a graph."""

    def __init__(self, tokenizer, name):
        super().__init__(tokenizer, name)
        model = tokenizer.models["text.spm"]
        self._rule = tokenizer.options["rule"]
        own = b"" if self._rule == "sentencepiece" else NO_NORMALISER
        self._model = _sentencepiece(model + own, f"{name}_pieces")
        # The pieces of a text, joined, are the text with its characters normalised.
        if self._rule == "characters":
            model += ONLY_CHARACTERS
            self._characters = _sentencepiece(model, f"{name}_characters")

    def tokenize(self, text):
        if self._rule != "sentencepiece":
            text = replace(text, f"{BLANKS}{MASK}", MASK)
        return super().tokenize(text)

    def _cut(self, texts):
        if self._rule == "sentencepiece":
            return self._model.tokenize(texts)
        if self._rule == "words":
            texts = replace(texts, f"^{BLANKS}|{BLANKS}$", "")
            return self._cut_words(replace(texts, f"{BLANKS}{SPACE}?", SPACE))
        texts = tf.strings.reduce_join(self._characters.tokenize(texts), axis=1)
        return self._cut_words(replace(texts, " {2,}", " "))

    def _cut_words(self, texts):
        texts = replace(texts, " ", SPACE)
        begins = tf.strings.regex_full_match(texts, f"(?s)({SPACE}.*)?")
        texts = tf.where(begins, texts, SPACE + texts)
        word = f"{SPACE}[^{SPACE}]*"
        words = _split(texts, word)
        pieces = self._model.tokenize(words.flat_values)
        return words.with_flat_values(pieces).merge_dims(1, 2)

    def _join(self, pieces):
        if self._rule == "sentencepiece":
            return _strip(self._model.detokenize(pieces))
        first = tf.strings.reduce_join(pieces[:, :1], axis=1)
        others = tf.strings.reduce_join(pieces[:, 1:], axis=1)
        return replace(first, SPACE, "") + replace(others, SPACE, " ")


def _sentencepiece(model, name):
    return tensorflow_text.SentencepieceTokenizer(model, out_type=tf.string, name=name)


def _split(texts, pattern):
    """Texts (N,) -> parts (N, None): what a pattern matches, and what lies between."""
    return tensorflow_text.regex_split(texts, pattern, pattern)


def _where(wanted, texts):
    """Texts (N,) -> (N, None), ragged: a text where it is wanted, nothing elsewhere."""
    return tf.ragged.boolean_mask(texts[:, None], wanted[:, None])


def _strip(texts):
    return replace(texts, f"^{STRIPPED}|{STRIPPED}$", "")


GRAPHS = {
    "sentencepiece": OwnGraph,
    "marian": MarianGraph,
    "multilingual": MultilingualGraph,
}
