"""Strings to token ids and back, as fairseq's WMT'19 checkpoints do it.

Moses cuts text into words, and byte-pair encoding cuts words into pieces.
"""

import functools
import io
import re

from keras_transformer.config import expect
from keras_transformer.pretrained.tokenizers.base import CheckpointTokenizer
from keras_transformer.pretrained.tokenizers.files import read_limited

WORD_END = "</w>"
LONGEST_MEMORY = 1 << 16  # words whose pieces are remembered


class FsmtTokenizer(CheckpointTokenizer):
    """One side of an FSMT checkpoint; text comes out as Moses detokenises it.

    `transformers` cuts targets as if they were source text; here each side is cut by
    its own language's rules.

    Args:
        vocabulary: a `Vocabulary`.
        models: the content of `"merges.txt"`: in each line two pieces to be joined, the
            first lines first.
        language: Moses' code of the language (`"en"`).
        lower_case: whether text is lower-cased first (no).

    Raises:
        ImportError: if `sacremoses` or `subword-nmt` is not installed.
        ValueError: if `merges.txt` has other lines, or `language` is no code.

    Example:
        >>> from keras_transformer.pretrained.tokenizers.base import Vocabulary
        >>> from keras_transformer.text.special_tokens import SpecialTokens
        >>> pieces = ["<pad>", "</s>", "<unk>", "an</w>", "!</w>"]
        >>> vocabulary = Vocabulary(pieces, SpecialTokens(0, 2, 1, 1))
        >>> models = {"merges.txt": b"a n</w>\\n"}
        >>> tokenizer = FsmtTokenizer(vocabulary, models, language="en")
        >>> tokenizer.encode(["an!"]), tokenizer.decode([[3, 4, 1]])
        ([[3, 4]], ['an!'])

    Source: Ng et al. 2019, arXiv 1907.06616; Sennrich et al. 2016, arXiv 1508.07909.
    """

    kind = "fsmt"
    needs = ("merges.txt",)

    def __init__(self, vocabulary, models, language="en", lower_case=False):
        super().__init__(vocabulary, models, language=language, lower_case=lower_case)
        try:
            import sacremoses
            from subword_nmt.apply_bpe import BPE
        except ImportError as error:
            raise ImportError(
                "FSMT needs sacremoses and subword-nmt; in the clone of this project "
                f'run: pip install -e ".[fsmt]" ({error})'
            ) from None
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
        self._ids_of_word = functools.lru_cache(LONGEST_MEMORY)(self._cut_word)

    def _encode_text(self, text):
        if self.options["lower_case"]:
            text = text.lower()
        ids = []
        text = self._normalise(text)
        for word in self._tokenise(text, aggressive_dash_splits=True):
            ids += self._ids_of_word(word)
        return ids

    def _cut_word(self, word):
        """The ids of a word's pieces, the last of which says that it ends."""
        parts = self._bpe.segment_tokens([word])[:-1]
        parts = [part.removesuffix("@@") for part in parts]
        last = word[len("".join(parts)) :]
        return self._lookup([*parts, last + WORD_END])

    def _decode_pieces(self, pieces):
        text = "".join(pieces).replace(" ", "").replace(WORD_END, " ")
        return self._detokenise(text.split())


def read_fsmt(files, source_lang, target_lang):
    """The source and the target tokenizer of an FSMT checkpoint."""
    files.refuse(source_lang=source_lang, target_lang=target_lang)
    pair = files.get("langs", list, files.config.get("langs"))
    is_pair = isinstance(pair, list) and len(pair) == 2
    expect(is_pair, "langs", "be the two languages of the model", pair)
    names = files.names("bos", "unk", "sep", "pad")
    merges = {"merges.txt": read_limited(files.folder / "merges.txt")}
    lower_case = files.get("do_lower_case", bool, False)
    tokenizers = []
    for side, language in zip(("src", "tgt"), pair):
        size = files.size(f"{side}_vocab_size")
        pieces = files.with_added(files.pieces(f"vocab-{side}.json", size), size)
        vocabulary = files.vocabulary(pieces, names, "sep", end="sep")
        tokenizers.append(FsmtTokenizer(vocabulary, merges, language, lower_case))
    return tuple(tokenizers)


def _merges(content):
    """The pairs of `merges.txt`; subword-nmt would end the process on another line."""
    try:
        lines = content.decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise ValueError(f"merges.txt must be UTF-8; received {error.reason}") from None
    lines = [line for line in lines if line and not line.startswith("#version")]
    pairs = [line.split()[:2] for line in lines]  # without counts
    is_pairs = pairs and all(len(pair) == 2 for pair in pairs)
    expect(is_pairs, "merges.txt", "have lines of two pieces", content[:40])
    return [" ".join(pair) for pair in pairs]
