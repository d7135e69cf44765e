"""Strings to token ids and back, as Marian's checkpoints (OPUS-MT) do it."""

import re

from ...config import one_of
from ...text.tokenizer import processor
from .base import CheckpointTokenizer
from .files import read_large_json, read_limited


class MarianTokenizer(CheckpointTokenizer):
    """One side of a Marian checkpoint.

    A SentencePiece model cuts text into pieces, and a vocabulary numbers them.
    `">>xx<<"` in front of a text, which tells a multilingual model the language to
    translate into, is one token. Punctuation is not normalised: neither does
    `transformers`, whose `MarianTokenizer.normalize` nothing calls.

    Args:
        vocabulary: a `Vocabulary`.
        models: the content of the SentencePiece model that cuts this side's text,
            `"encoder.spm"`, and of the one that joins pieces, `"decoder.spm"`: the
            source's if both sides share one vocabulary.

    Raises:
        ValueError: if one of them is no SentencePiece model.

    Source: Junczys-Dowmunt et al. 2018, arXiv 1804.00344; Tiedemann and Thottingal
    2020, OPUS-MT.
    """

    kind = "marian"
    needs = ("encoder.spm", "decoder.spm")

    def __init__(self, vocabulary, models):
        super().__init__(vocabulary, models)
        self._encoder = processor(models["encoder.spm"], "encoder.spm")
        self._decoder = processor(models["decoder.spm"], "decoder.spm")

    @property
    def languages(self):
        return languages_in(self.pieces)

    def with_languages(self, source, target):
        ids = self.languages
        return self.with_ids(source_prefix=[ids[target]]) if target in ids else self

    def _encode_text(self, text):
        code, mark, rest = text.partition("<<")
        if not (mark and text.startswith(">>")):
            return self._lookup(self._encoder.encode(text, out_type=str))
        return self._lookup([code + mark, *self._encoder.encode(rest, out_type=str)])

    def _decode_pieces(self, pieces):
        return self._decoder.decode_pieces(pieces).replace("\u2581", " ").strip()


def read_marian(files):
    """The source and the target tokenizer of a Marian checkpoint.

    `target_lang` may be given if the vocabulary has `">>xx<<"` tokens.
    """
    files.check_languages("target_lang")
    size = files.size("vocab_size")
    numbers = read_large_json(files.folder / "vocab.json")
    source = files.pieces("vocab.json", numbers, size, files.added)
    target = source
    separate = files.get("separate_vocabs", bool)
    if separate:
        name = "target_vocab.json"
        if files.config.get("decoder_vocab_size"):
            size = files.size("decoder_vocab_size")
        target = files.pieces(name, read_large_json(files.folder / name), size, {})
    codes = languages_in(source)
    prefix = []
    target_lang = files.languages["target_lang"]
    if target_lang is not None:
        prefix = [codes[one_of("target_lang", target_lang, codes)]]
    names = files.names("eos", "unk", "pad")
    own = read_limited(files.folder / "source.spm")
    other = read_limited(files.folder / "target.spm")
    vocabulary = files.vocabulary(source, names, "pad", source_prefix=prefix)
    forth = MarianTokenizer(vocabulary, {"encoder.spm": own, "decoder.spm": own})
    # Where both sides share a vocabulary, transformers decodes with the source's model.
    models = {"encoder.spm": other, "decoder.spm": other if separate else own}
    return forth, MarianTokenizer(files.vocabulary(target, names, "pad"), models)


def languages_in(pieces):
    """The id of each language of a vocabulary, by its code."""
    found = {}
    for number, piece in enumerate(pieces):
        if re.fullmatch(">>.+<<", piece):
            found[piece[2:-2]] = number
    return found
