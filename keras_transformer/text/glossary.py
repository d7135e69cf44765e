"""Terms and their translations, and where a sentence has them."""

import os
import unicodedata
from collections.abc import Mapping

from ..config import expect
from .lines import checked_text, read_lines
from .markup import SYMBOL
from .normalization import has_text, normalize
from .scripts import UNSPACED, script_of

MOST = 32  # tokens of a term
# Scripts in which a word may go on with another: Korean's particles.
GOING_ON = (*UNSPACED, "HANGUL")


class Glossary:
    """Source terms, each with its target terms.

    A sentence has a term where it stands in it as whole words, in the same case; of
    terms that overlap the longest counts. With several translations, each will do.

    Args:
        terms: path of a file with a source term, a tab and a target term in each line,
            plain or packed; a dict; or pairs.

    Raises:
        ValueError: if the file cannot be read, or something is no pair of terms (file
            and line).

    Examples:
        >>> glossary = Glossary({"dog": "Hund", "hot dog": "Wurst", "cat": "Katze"})
        >>> glossary.found_in("a dog, a hot dog and a catfish")
        ['hot dog', 'dog']
    """

    def __init__(self, terms):
        self.targets = {}  # of each source term: its targets, and where each is from
        for where, pair in entries(terms):
            is_pair = isinstance(pair, (tuple, list)) and len(pair) == 2
            must = "be a source term and a target term"
            expect(is_pair, f"{where},", must, pair)
            source, target = (normalize(checked_text(text, where)) for text in pair)
            have_text = has_text(source) and has_text(target)
            expect(have_text, f"{where},", must, tuple(pair))
            self.targets.setdefault(source, {}).setdefault(target, where)
        expect(self.targets, "glossary", "have terms", terms)
        self.lengths = sorted({len(source) for source in self.targets}, reverse=True)

    def found_in(self, text):
        """The source terms that a sentence has, each once, the longest first."""
        text = normalize(SYMBOL.sub(" ", text))
        found = {}
        taken = set()
        for length in self.lengths:
            for start in range(len(text) - length + 1):
                end = start + length
                term = text[start:end]
                if term not in self.targets or not is_whole(text, start, end):
                    continue
                if taken.isdisjoint(range(start, end)):
                    taken.update(range(start, end))
                    found[term] = None
        return list(found)

    def encoded(self, tokenizer):
        """The ids of each source term's targets, as they come within a sentence.

        Args:
            tokenizer: the `Tokenizer` of the target language.

        Returns:
            a dict: for each source term, a list of tuples of ids.

        Raises:
            ValueError: if the vocabulary cannot spell a target, it has more than `MOST`
                tokens, or one of the two terms has markup that the tokenizer copies.
        """
        ids = {}
        for source, targets in self.targets.items():
            for target, where in targets.items():
                own = within_a_sentence(target, tokenizer)
                is_spelled = normalize(tokenizer.decode([own])[0]) == target
                is_spelled = is_spelled and tokenizer.special.unknown not in own
                must = "be spelled by the vocabulary of the target"
                expect(is_spelled, f"{where}: the target term", must, target)
                must = f"have at most {MOST} tokens"
                expect(len(own) <= MOST, f"{where}: the target term", must, len(own))
                if tokenizer.markup is not None:
                    must = "have no markup, which the run copies"
                    for term in (source, target):
                        marks = tokenizer.markup.places(term)
                        expect(not marks, f"{where}: a term", must, term)
                ids.setdefault(source, []).append(own)
        return ids


def entries(terms):
    """Pairs of terms, and where each is from."""
    if isinstance(terms, (str, os.PathLike)):
        for number, line in enumerate(read_lines(terms), 1):
            if has_text(line):
                yield f"{terms}, line {number}", line.split("\t")
        return
    pairs = terms.items() if isinstance(terms, Mapping) else terms
    for number, pair in enumerate(pairs, 1):
        yield f"glossary, entry {number}", pair


def within_a_sentence(term, tokenizer):
    """The ids of a term, as a tuple, behind other words."""
    before = "."
    (first,) = tokenizer.encode([before])
    space = "" if script_of(term[0]) in UNSPACED else " "
    (both,) = tokenizer.encode([f"{before}{space}{term}"])
    return tuple(both[len(first) :])


def is_whole(text, start, end):
    """Whether a part of a text does not begin or end within a word."""
    begins = start == 0 or not is_one_word(text[start - 1 : start + 1], UNSPACED)
    ends = end == len(text) or not is_one_word(text[end - 1 : end + 1], GOING_ON)
    return begins and ends


def is_one_word(characters, unspaced):
    """Whether all characters are those of words, none in a script without spaces."""
    return all(is_of_word(character, unspaced) for character in characters)


def is_of_word(character, unspaced=GOING_ON):
    """Whether a character is that of a word, in a script with spaces between words."""
    is_sign = unicodedata.category(character)[0] in "LMN" or character == "_"
    return is_sign and script_of(character) not in unspaced
