"""Strings to token ids and back, as M2M100, NLLB and mBART do it."""

import re

import sentencepiece

from keras_transformer.pretrained.tokenizers.checkpoint_tokenizer import (
    CheckpointTokenizer,
    processor,
)
from keras_transformer.pretrained.tokenizers.vocabulary import Vocabulary

SPACE = "\u2581"
WHITE = "\t\n\x0b\x0c\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)
RULES = ("sentencepiece", "characters", "words")
# Appended to a model, these bytes replace fields 2 to 5 of its normaliser (characters,
# prefix, spaces, spaces' spelling) by nothing: a later field of a protocol buffer
# counts.
NO_NORMALISER = bytes([0x1A, 8, 0x12, 0, 0x18, 0, 0x20, 0, 0x28, 0])


class MultilingualTokenizer(CheckpointTokenizer):
    """One SentencePiece model for both sides; languages are tokens around a sentence, not part of its text.

    What happens before the pieces are looked for differs by family, and is done as
    `transformers` does it, which for NLLB and mBART is not SentencePiece's way: a space
    at the end of a line, for instance, is a token. Two things are not copied: a
    combining mark behind a character that normalisation replaces is kept, and what
    becomes a special token's name by normalisation (`"＜pad＞"`) stays text.

    Args:
        vocabulary: a `Vocabulary`.
        models: the content of the SentencePiece model, `"text.spm"`.
        rule: `"sentencepiece"` (M2M100): the model's own rules for characters and
            spaces; `"characters"` (NLLB, mBART-50): those for characters, and runs of
            spaces become one; `"words"` (mBART): words between spaces.
        mask: a mark, absent in M2M100, that takes the spaces before it with it.
        late_mask: whether `mask` is looked for only after the characters have been
            normalised.

    Raises:
        ValueError: if the content is no SentencePiece model, or there is no such rule
            or mask.

    Example:
        >>> from keras_transformer.text import Tokenizer
        >>> from keras_transformer.text.special_tokens import SpecialTokens
        >>> model = Tokenizer.train(["a man rides a bike", "a man rides a horse"], vocab_size=24).serialized
        >>> pieces = ["<s>", "<pad>", "</s>", "<unk>", "\\u2581a", "\\u2581m", "an", "__de__", "__en__"]
        >>> special = SpecialTokens(pad=1, unknown=3, begin=2, end=2)
        >>> around = dict(source_prefix=[8], source_suffix=[2], target_prefix=[7])
        >>> vocabulary = Vocabulary(pieces, special, ["</s>"], hidden=[7, 8], **around)
        >>> tokenizer = MultilingualTokenizer(vocabulary, {"text.spm": model}, rule="sentencepiece")
        >>> tokenizer.encode(["a man"])
        [[4, 5, 6]]
        >>> tokenizer.decode([[7, 4, 5, 6, 2]])
        ['a man']

    Source: Fan et al. 2020, arXiv 2010.11125; NLLB team 2022, arXiv 2207.04672; Liu et
    al. 2020, arXiv 2001.08210.
    """

    kind = "multilingual"
    needs = ("text.spm",)

    def __init__(
        self,
        vocabulary: Vocabulary,
        models: dict[str, bytes],
        rule: str = "sentencepiece",
        mask: str | None = None,
        late_mask: bool = False,
    ):
        super().__init__(vocabulary, models, rule=rule, mask=mask, late_mask=late_mask)
        if rule not in RULES:
            raise ValueError(
                f"rule must be one of {', '.join(RULES)}; received {rule!r}"
            )
        if (mask is not None or late_mask) and mask not in vocabulary.pieces:
            raise ValueError(f"mask must be in the vocabulary; received {mask!r}")
        self._processor = processor(models["text.spm"], "text.spm")
        if rule != "sentencepiece":
            self._processor = processor(models["text.spm"] + NO_NORMALISER, "text.spm")
        self._normaliser = sentencepiece.SentencePieceNormalizer(
            model_proto=models["text.spm"],
            add_dummy_prefix=False,
            escape_whitespaces=False,
            remove_extra_whitespaces=False,
        )

    def _encode_line(self, line):
        mask = self.options["mask"]
        if mask is None or self.options["late_mask"]:
            return super()._encode_line(line)
        return super()._encode_line(_without_spaces_before(mask, line))

    def _encode_text(self, text):
        rule, mask = self.options["rule"], self.options["mask"]
        if rule == "sentencepiece":
            return self._lookup(self._processor.encode(text, out_type=str))
        if rule == "words":
            return self._encode_words(re.split(f"[{WHITE}]+", text))
        text = re.sub(" {2,}", " ", self._normaliser.normalize(text))
        if not self.options["late_mask"]:
            return self._encode_words([text])
        first, *others = (
            self._encode_words([part])
            for part in _without_spaces_before(mask, text).split(mask)
        )
        return first + [
            number for part in others for number in (self.vocabulary.ids[mask], *part)
        ]

    def _encode_words(self, texts):
        """The ids of texts that each begin a word."""
        texts = [text.replace(" ", SPACE) for text in texts if text]
        texts = [text if text.startswith(SPACE) else SPACE + text for text in texts]
        # Word by word: in the sum of a whole line's scores rounding would decide
        # between "." ".." and ".." ".".
        words = [
            word for text in texts for word in re.findall(f"{SPACE}[^{SPACE}]*", text)
        ]
        return self._lookup(
            piece
            for word in words
            for piece in self._processor.encode(word, out_type=str)
        )

    def _decode_pieces(self, pieces):
        if self.options["rule"] == "sentencepiece":
            return self._processor.decode_pieces(pieces).strip()
        first = "".join(pieces[:1]).replace(SPACE, "")
        return first + "".join(pieces[1:]).replace(SPACE, " ")


def _without_spaces_before(mask, text):
    *parts, last = text.split(mask)
    return mask.join([*(part.rstrip(WHITE) for part in parts), last])
