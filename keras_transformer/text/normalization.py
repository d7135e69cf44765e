"""The one rule of normalisation, and what an empty line is.

Before it is cut into tokens, text is changed in what a reader does not see:

    composition   letters and marks become one character where Unicode has it (NFC), as
                  "e" and an accent "é"; exact for a letter with up to two marks
    white space   no-break spaces, tabs, separators of lines ... become spaces; a run of
                  spaces becomes one, those at the ends go
    invisible     controls and format characters go, but for the joiners of Persian, of
                  Indic scripts and of emoji, and the tags of flags

SentencePiece's own `nmt_nfkc` would change what a reader does see, "½", "ﬁ" and "…":
no translation would equal its reference. The rule lies inside `tokenizer.model`, whence
training, every runtime and every export read it; checkpoints come with their own.

Source: Unicode Standard Annex 15; Unicode's property Default_Ignorable_Code_Point.
"""

import collections
import functools
import itertools
import re
import unicodedata

import sentencepiece

SILENT = 2  # SentencePiece's log level that shows errors only
CHARACTERS = "".join(chr(n) for n in range(0x30000) if not 0xD800 <= n < 0xE000)
WHITE = "".join(filter(str.isspace, CHARACTERS)) + "\u2800"  # and Braille's space
SPACE = "\u2581"  # what SentencePiece writes for a space
INVISIBLE = (
    "\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
# A line without text, for Python's `re` and for TensorFlow's.
BLANK = f"[{WHITE}{INVISIBLE}{SPACE}]*"
JOINERS = "\u200c\u200d"
# SentencePiece takes these for a space and for what is unknown. Inside it they are
# characters that Unicode keeps for such use, and become themselves again in its texts.
RESERVED = {SPACE: "\ufdd0", "\u2585": "\ufdd1"}
# Marks that text has in other orders than the canonical one: Hebrew's and Arabic's.
POINTS = "".join(map(chr, range(0x591, 0x700)))
# SentencePiece's options about spaces.
FLAGS = ("add_dummy_prefix", "escape_whitespaces", "remove_extra_whitespaces")

compose = functools.partial(unicodedata.normalize, "NFC")
decompose = functools.partial(unicodedata.normalize, "NFD")


def has_text(line):
    """Whether a line is more than white space and invisible characters."""
    return not re.fullmatch(BLANK, line)


def normalize(text):
    """A text by the rule, as SentencePiece sees it.

    Example:
        >>> normalize(" e\\u0301te\\u0301\\u00a0\\u200b½ ")
        'été ½'
    """
    # SentencePiece's rules cannot name the null character.
    return _normalizer().normalize(text.replace("\0", ""))


@functools.cache
def rule():
    """The rule as a `SentencePieceNormalizer`, which the trainer takes."""
    rows = {text: compose(text) for text in _spellings()}
    for character in re.findall(f"[{INVISIBLE}]", CHARACTERS.strip("\0")):
        is_format = unicodedata.category(character) in ("Cc", "Cf")
        if is_format and character not in JOINERS:
            rows[character] = ""
    rows |= dict.fromkeys(WHITE, " ") | RESERVED
    changes = [(text, left) for text, left in rows.items() if text != left]
    sentencepiece.set_min_log_level(SILENT)
    return sentencepiece.SentencePieceNormalizer(norm_map=changes)


def rule_of_decoding():
    """What gives decoded text its reserved characters: bytes to append to a model.

    They are its field 5, `denormalizer_spec`. The trainer would take it from a file
    only, whose path it writes into the model.
    """
    rows = [(inside, text) for text, inside in RESERVED.items()]
    as_it_is = dict.fromkeys(FLAGS, False)
    back = sentencepiece.SentencePieceNormalizer(norm_map=rows, **as_it_is)
    spec = back.serialized_normalizer_spec()
    size = len(spec)  # 14 bits, the lower seven first
    return bytes([0x2A, size & 127 | 128, size >> 7]) + spec


@functools.cache
def _normalizer():
    spec = rule().serialized_normalizer_spec()
    plain = dict.fromkeys(FLAGS[:2], False)
    return sentencepiece.SentencePieceNormalizer(normalizer_spec=spec, **plain)


def _spellings():
    """What may stand for a letter with marks, and for marks alone."""
    composed = [c for c in CHARACTERS if decompose(c) != c]
    known = {mark for c in composed for mark in decompose(c)[1:]}
    order_of = unicodedata.combining
    by_block = collections.defaultdict(list)
    for mark in sorted(known.union(POINTS)):
        if order_of(mark):
            by_block[ord(mark) >> 8].append(mark)
    for block in by_block.values():
        yield from map("".join, itertools.permutations(block, 2))
    for character in composed:
        yield character
        letter, *marks = decompose(character)
        for order in map("".join, itertools.permutations(marks)):
            for place in range(len(order)):
                yield compose(letter + order[:place]) + order[place:]
        mark = "".join(marks)
        if len(marks) != 1 or not order_of(mark):
            continue
        for other in by_block[ord(mark) >> 8]:
            yield letter + other + mark
            if order_of(other) < order_of(mark):
                yield letter + mark + other
                yield character + other
