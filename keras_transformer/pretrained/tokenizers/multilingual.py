"""Strings to token ids and back, as M2M100, NLLB and mBART do it."""

import dataclasses
import re
from pathlib import Path
from typing import NamedTuple

import sentencepiece

from ...config import one_of
from ...text.tokenizer import processor
from .base import CheckpointTokenizer, Vocabulary
from .files import MASK, read_large_json, read_limited

SPACE = "\u2581"
WHITE = (
    "\t\n\x0b\x0c\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000"
    "\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
)


class Kind(NamedTuple):
    """How a tokenizer class of `transformers` cuts text and names the languages."""

    rule: str
    is_source_last: bool = False  # its language stands after the end token
    begins_with_target: bool = False  # the begin token is the target's language


KINDS = {
    "M2M100Tokenizer": Kind("sentencepiece"),
    "NllbTokenizer": Kind("characters"),
    "MBart50Tokenizer": Kind("characters"),
    "MBartTokenizer": Kind("words", is_source_last=True, begins_with_target=True),
}
RULES = list(dict.fromkeys(kind.rule for kind in KINDS.values()))
# Appended to a model, these bytes replace fields 2 to 5 of its normaliser (characters,
# prefix, spaces, spaces' spelling) by nothing: a later field of a protocol buffer
# counts.
NO_NORMALISER = bytes([0x1A, 8, 0x12, 0, 0x18, 0, 0x20, 0, 0x28, 0])


class MultilingualTokenizer(CheckpointTokenizer):
    """One SentencePiece model for both sides; languages are tokens around a sentence.

    What happens before the pieces are looked for differs by family, and is done as
    `transformers` does it, which for NLLB and mBART is not SentencePiece's way: a space
    at the end of a line, for instance, is a token. Two things are not copied: a
    combining mark behind a character that normalisation replaces is kept, and what
    becomes a special token's name by normalisation (`"＜pad＞"`) stays text. But for
    M2M100's, `"<mask>"` takes the spaces before it with it.

    Args:
        vocabulary: a `Vocabulary`.
        models: the content of the SentencePiece model, `"text.spm"`.
        rule: `"sentencepiece"` (M2M100): the model's own rules for characters and
            spaces; `"characters"` (NLLB, mBART-50): those for characters, and runs of
            spaces become one; `"words"` (mBART): words between spaces.

    Raises:
        ValueError: if the content is no SentencePiece model, or there is no such rule.

    Source: Fan et al. 2020, arXiv 2010.11125; NLLB team 2022, arXiv 2207.04672; Liu et
    al. 2020, arXiv 2001.08210.
    """

    kind = "multilingual"
    needs = ("text.spm",)

    def __init__(self, vocabulary, models, rule="sentencepiece"):
        super().__init__(vocabulary, models, rule=rule)
        one_of("rule", rule, RULES)
        model = models["text.spm"]
        self._processor = processor(model, "text.spm")
        if rule != "sentencepiece":
            self._processor = processor(model + NO_NORMALISER, "text.spm")
        self._normaliser = sentencepiece.SentencePieceNormalizer(
            model_proto=model,
            add_dummy_prefix=False,
            escape_whitespaces=False,
            remove_extra_whitespaces=False,
        )

    def _encode_line(self, line):
        if self.options["rule"] != "sentencepiece":
            *parts, last = line.split(MASK)
            line = MASK.join([*(part.rstrip(WHITE) for part in parts), last])
        return super()._encode_line(line)

    def _encode_text(self, text):
        rule = self.options["rule"]
        if rule == "sentencepiece":
            return self._lookup(self._processor.encode(text, out_type=str))
        if rule == "words":
            return self._encode_words(re.split(f"[{WHITE}]+", text))
        text = re.sub(" {2,}", " ", self._normaliser.normalize(text))
        return self._encode_words([text])

    def _encode_words(self, texts):
        """The ids of texts that each begin a word."""
        pieces = []
        for text in texts:
            text = text.replace(" ", SPACE)
            if text and not text.startswith(SPACE):
                text = SPACE + text
            # Word by word: in the sum of a whole line's scores rounding would decide
            # between "." ".." and ".." ".".
            for word in re.findall(f"{SPACE}[^{SPACE}]*", text):
                pieces += self._processor.encode(word, out_type=str)
        return self._lookup(pieces)

    def _decode_pieces(self, pieces):
        if self.options["rule"] == "sentencepiece":
            return self._processor.decode_pieces(pieces).strip()
        first = "".join(pieces[:1]).replace(SPACE, "")
        return first + "".join(pieces[1:]).replace(SPACE, " ")


def languages(name):
    """The codes of a family's languages, in the order of their ids."""
    return read_large_json(Path(__file__).with_name("languages.json"))[name]


def read_multilingual(files):
    """The tokenizer of an M2M100, NLLB or mBART checkpoint, for source and target."""
    name = _tokenizer_class(files)
    kind = KINDS[name]
    model = read_limited(files.folder / "sentencepiece.bpe.model")
    names = files.names("bos", "eos", "unk", "pad")
    has_own_rules = kind.rule == "sentencepiece"
    if has_own_rules:
        numbers, codes = _listed_pieces(files)
    else:
        names |= files.names("mask")
        learnt, codes = _learnt_pieces(files, name, model, names)
        numbers = {piece: number for number, piece in enumerate(learnt)}
    size = files.size("vocab_size")
    pieces = files.pieces("the vocabulary", numbers, size, files.added)
    vocabulary = files.vocabulary(pieces, names, "eos")
    ids = vocabulary.ids
    codes = {code: ids[piece] for code, piece in codes.items() if piece in ids}
    chosen = [one_of(name, code, codes) for name, code in files.languages.items()]
    source, target = ([codes[code]] for code in chosen)
    hidden = [*codes.values()]
    special = vocabulary.special
    marks = [*vocabulary.marks]
    # M2M100's "__xx__" are no marks.
    if not has_own_rules:
        marks += [pieces[number] for number in hidden]
    prefix = source
    suffix = [special.end]
    is_old_nllb = name == "NllbTokenizer" and files.get("legacy_behaviour", bool)
    if kind.is_source_last or is_old_nllb:
        prefix = []
        suffix += source
    if kind.begins_with_target:
        special = dataclasses.replace(special, begin=target[0])
        target = []
    vocabulary = Vocabulary(pieces, special, marks, hidden, prefix, suffix, target)
    return MultilingualTokenizer(vocabulary, {"text.spm": model}, kind.rule)


def _tokenizer_class(files):
    """The key of `KINDS` that a checkpoint's files say or mean."""
    default = "M2M100Tokenizer"
    if files.config["model_type"] == "mbart":
        default = "MBartTokenizer"
    elif not (files.folder / "vocab.json").exists():
        default = "NllbTokenizer"
    said = files.get("tokenizer_class", str) or files.config.get("tokenizer_class")
    name = str(said or default).removesuffix("Fast")
    return one_of("tokenizer_class", name, KINDS)


def _listed_pieces(files):
    """The number of each piece of an M2M100 checkpoint, and each language's piece."""
    listed = files.get("language_codes", str) or "m2m100"
    one_of("language_codes", listed, ["m2m100"])
    codes = {code: f"__{code}__" for code in languages(listed)}
    numbers = read_large_json(files.folder / "vocab.json")
    places = range(len(numbers), len(numbers) + len(codes))
    return numbers | dict(zip(codes.values(), places)), codes


def _learnt_pieces(files, name, model, names):
    """A SentencePiece model's pieces and the languages, and each language's piece."""
    listed = files.listed()
    codes = [token for token in listed if re.fullmatch("[a-z]{3}_[A-Z][a-z]{3}", token)]
    if not codes:  # NLLB's are listed
        codes = languages(name.removesuffix("Tokenizer").lower())
    found = processor(model, "sentencepiece.bpe.model")
    # In the order of fairseq.
    pieces = [names[key] for key in ("bos", "pad", "eos", "unk")]
    # After SentencePiece's own unknown, begin and end.
    pieces += [found.id_to_piece(number) for number in range(3, found.vocab_size())]
    if not set(codes) & set(files.added.values()):
        pieces += [*codes, names["mask"]]
    return pieces, {code: code for code in codes}
