"""Strings to token ids and back, as Marian's checkpoints (OPUS-MT) do it."""

from keras_transformer.pretrained.tokenizers.checkpoint_tokenizer import (
    CheckpointTokenizer,
    processor,
)
from keras_transformer.pretrained.tokenizers.vocabulary import Vocabulary


class MarianTokenizer(CheckpointTokenizer):
    """One side of a Marian checkpoint: a SentencePiece model cuts text into pieces, a vocabulary numbers them.

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

    Example:
        >>> from keras_transformer.text import Tokenizer
        >>> from keras_transformer.text.special_tokens import SpecialTokens
        >>> model = Tokenizer.train(["a man rides a bike", "a man rides a horse"], vocab_size=24).serialized
        >>> pieces = ["</s>", "<unk>", "\\u2581a", "\\u2581m", "an", ">>de<<", "<pad>"]
        >>> vocabulary = Vocabulary(pieces, SpecialTokens(pad=6, unknown=1, begin=6, end=0), marks=["</s>"])
        >>> tokenizer = MarianTokenizer(vocabulary, {"encoder.spm": model, "decoder.spm": model})
        >>> tokenizer.encode([">>de<< a man</s>"])
        [[5, 2, 3, 4, 0]]
        >>> tokenizer.decode([[2, 3, 4, 0]])
        ['a man']

    Source: Junczys-Dowmunt et al. 2018, arXiv 1804.00344; Tiedemann and Thottingal
    2020, OPUS-MT.
    """

    kind = "marian"
    needs = ("encoder.spm", "decoder.spm")

    def __init__(self, vocabulary: Vocabulary, models: dict[str, bytes]):
        super().__init__(vocabulary, models)
        self._encoder, self._decoder = (
            processor(models[name], name) for name in self.needs
        )

    def _encode_text(self, text):
        code, found, rest = text.partition("<<")
        if not (found and text.startswith(">>")):
            return self._lookup(self._encoder.encode(text, out_type=str))
        return self._lookup([code + found, *self._encoder.encode(rest, out_type=str)])

    def _decode_pieces(self, pieces):
        return self._decoder.decode_pieces(pieces).replace("\u2581", " ").strip()
