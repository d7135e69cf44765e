"""Strings to token ids and back, as fairseq's WMT'19 checkpoints do it: Moses, then byte-pair encoding."""

import functools
import io
import re
import unicodedata

from keras_transformer.pretrained.tokenizers.checkpoint_tokenizer import (
    CheckpointTokenizer,
)
from keras_transformer.pretrained.tokenizers.vocabulary import Vocabulary

WORD_END = "</w>"
LONGEST_MEMORY = 1 << 16  # words whose pieces are remembered
# What mosesdecoder's replace-unicode-punctuation.perl replaces, one character by one or
# more.
PUNCTUATION = str.maketrans(
    dict(zip("，、”“∶：？《》）！（；」「～’━〈〉【】％", ',,""::?"")!(;""~\'-<>[]%'))
    | dict(zip("０１２３４５６７８９", "0123456789"))
    | {"…": "..."}
)


class FsmtTokenizer(CheckpointTokenizer):
    """One side of an FSMT checkpoint; text comes out as Moses detokenises it.

    `transformers` cuts targets as if they were source text; here each side is cut by
    its own language's rules.

    Args:
        vocabulary: a `Vocabulary`.
        models: the content of `"merges.txt"`: in each line two pieces to be joined, the
            first lines first.
        language: Moses' code of the language, such as `"en"`.
        lower_case: whether text is lower-cased first.

    Raises:
        ImportError: if `sacremoses` or `subword-nmt` is not installed.
        ValueError: if `merges.txt` has other lines, or `language` is no code.

    Example:
        >>> from keras_transformer.text.special_tokens import SpecialTokens
        >>> vocabulary = Vocabulary(["<pad>", "</s>", "<unk>", "an</w>", "!</w>"], SpecialTokens(0, 2, 1, 1))
        >>> tokenizer = FsmtTokenizer(vocabulary, {"merges.txt": b"a n</w>\\n"}, language="en")
        >>> tokenizer.encode(["an!"]), tokenizer.decode([[3, 4, 1]])
        ([[3, 4]], ['an!'])

    Source: Ng et al. 2019, arXiv 1907.06616; Sennrich et al. 2016, arXiv 1508.07909.
    """

    kind = "fsmt"
    needs = ("merges.txt",)

    def __init__(
        self,
        vocabulary: Vocabulary,
        models: dict[str, bytes],
        language: str = "en",
        lower_case: bool = False,
    ):
        super().__init__(vocabulary, models, language=language, lower_case=lower_case)
        try:
            from sacremoses import (
                MosesDetokenizer,
                MosesPunctNormalizer,
                MosesTokenizer,
            )
            from subword_nmt.apply_bpe import BPE
        except ImportError as error:
            raise ImportError(
                f"FSMT needs sacremoses and subword-nmt: pip install 'keras-transformer-nmt[fsmt]' ({error})"
            ) from None
        if not isinstance(language, str) or not re.fullmatch("[a-z]{2,3}", language):
            raise ValueError(
                f"language must be a code of two or three letters; received {language!r}"
            )
        self._normalise = MosesPunctNormalizer(lang=language).normalize
        self._tokenise = MosesTokenizer(lang=language).tokenize
        self._detokenise = MosesDetokenizer(lang=language).detokenize
        self._bpe = BPE(
            io.StringIO("\n".join(["#version: 0.2", *_merges(models["merges.txt"])]))
        )
        self._word = functools.lru_cache(LONGEST_MEMORY)(self._cut_word)

    def _encode_text(self, text):
        text = text.lower() if self.options["lower_case"] else text
        text = re.sub(r"[。．]\s*", ". ", text.translate(PUNCTUATION))
        text = "".join(
            c
            for c in self._normalise(text)
            if not unicodedata.category(c).startswith("C")
        )
        words = self._tokenise(
            text, aggressive_dash_splits=True, return_str=False, escape=True
        )
        return [number for word in words if word for number in self._word(word)]

    def _cut_word(self, word):
        """The ids of a word's pieces, the last of which says that it ends."""
        parts = [
            part.removesuffix("@@") for part in self._bpe.segment_tokens([word])[:-1]
        ]
        return self._lookup([*parts, word[len("".join(parts)) :] + WORD_END])

    def _decode_pieces(self, pieces):
        text = "".join(
            piece.replace(" ", "").replace(WORD_END, " ") for piece in pieces
        )
        return self._detokenise(text.split())


def _merges(content):
    """The pairs of `merges.txt`, without counts; subword-nmt ends the process on a line that is none."""
    try:
        lines = content.decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise ValueError(f"merges.txt must be UTF-8; received {error.reason}") from None
    pairs = [
        line.split()[:2] for line in lines if line and not line.startswith("#version")
    ]
    if not pairs or any(len(pair) < 2 for pair in pairs):
        raise ValueError(
            f"merges.txt must have lines of two pieces; received {content[:40]!r}..."
        )
    return [" ".join(pair) for pair in pairs]
