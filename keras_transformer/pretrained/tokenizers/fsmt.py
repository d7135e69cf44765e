"""Strings to token ids and back, as fairseq's WMT'19 checkpoints do it.

Moses cuts text into words, and byte-pair encoding cuts words into pieces.
"""

import io
import re

from ...config import expect
from ...process.extras import needed
from ...runs.sealed_files import reading
from .base import CheckpointTokenizer
from .files import read_large_json, read_limited

WORD_END = "</w>"


class FsmtTokenizer(CheckpointTokenizer):
    """One side of an FSMT checkpoint; text comes out as Moses detokenises it.

    `transformers` cuts targets as if they were source text; here each side is cut by
    its own language's rules.

    Args:
        vocabulary: a `Vocabulary`.
        models: the content of `"merges.txt"`: in each line two pieces to be joined, the
            first lines first.
        language: Moses' code of the language (`"en"`).

    Raises:
        ImportError: if `sacremoses` or `subword-nmt` is not installed.
        ValueError: if `merges.txt` has other lines, or `language` is no code.

    Source: Ng et al. 2019, arXiv 1907.06616; Sennrich et al. 2016, arXiv 1508.07909.
    """

    kind = "fsmt"
    marks_word_ends = True
    needs = ("merges.txt",)

    def __init__(self, vocabulary, models, language="en"):
        super().__init__(vocabulary, models, language=language)
        needed("sacremoses", "subword_nmt", extra="fsmt")
        import sacremoses
        from subword_nmt.apply_bpe import BPE

        is_code = re.fullmatch("[a-z]{2,3}", str(language))
        expect(is_code, "language", "be a code of two or three letters", language)
        self._normalise = sacremoses.MosesPunctNormalizer(
            lang=language,
            pre_replace_unicode_punct=True,
            post_remove_control_chars=True,
        ).normalize
        self._tokenise = sacremoses.MosesTokenizer(lang=language).tokenize
        self._detokenise = sacremoses.MosesDetokenizer(lang=language).detokenize
        rules = ["#version: 0.2", *_merges(models["merges.txt"])]
        self._bpe = BPE(io.StringIO("\n".join(rules)))

    def _encode_text(self, text):
        pieces = []
        text = self._normalise(text)
        for word in self._tokenise(text, aggressive_dash_splits=True):
            parts = self._bpe.segment_tokens([word])[:-1]
            parts = [part.removesuffix("@@") for part in parts]
            last = word[len("".join(parts)) :]
            pieces += [*parts, last + WORD_END]
        return self._lookup(pieces)

    def _decode_pieces(self, pieces):
        text = "".join(pieces).replace(" ", "").replace(WORD_END, " ")
        return self._detokenise(text.split())


def read_fsmt(files):
    """The source and the target tokenizer of an FSMT checkpoint."""
    files.check_languages()
    pair = files.get("langs", list) or files.config.get("langs")
    is_pair = isinstance(pair, list) and len(pair) == 2
    expect(is_pair, "langs", "be the two languages of the model", pair)
    names = files.names("bos", "unk", "sep", "pad")
    merges = {"merges.txt": read_limited(files.folder / "merges.txt")}
    lower = files.get("do_lower_case", bool)
    expect(not lower, "do_lower_case", "be false", lower)
    tokenizers = []
    for side, language in zip(("src", "tgt"), pair):
        name = f"vocab-{side}.json"
        numbers = read_large_json(files.folder / name)
        size = files.size(f"{side}_vocab_size")
        pieces = files.pieces(name, numbers, size, files.added)
        vocabulary = files.vocabulary(pieces, names, "sep", end="sep")
        tokenizers.append(FsmtTokenizer(vocabulary, merges, language))
    return tuple(tokenizers)


def _merges(content):
    """The pairs of `merges.txt`; subword-nmt would end the process on another line."""
    with reading("merges.txt"):
        lines = content.decode("utf-8").split("\n")
    lines = [line for line in lines if line and not line.startswith("#version")]
    # Without counts.
    pairs = [line.split()[:2] for line in lines]
    is_pairs = pairs and all(len(pair) == 2 for pair in pairs)
    expect(is_pairs, "merges.txt", "have lines of two pieces", content[:40])
    return [" ".join(pair) for pair in pairs]
