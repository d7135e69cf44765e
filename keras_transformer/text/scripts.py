"""Which script a character is of, and which scripts have no spaces between words."""

import functools
import re
import unicodedata

# By the first words of their letters' names.
UNSPACED = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN")


@functools.cache
def script_of(character):
    """The first word of a character's name in Unicode; "?" if it has none.

    Examples:
        >>> [script_of(character) for character in "aд文ー"]
        ['LATIN', 'CYRILLIC', 'CJK', 'KATAKANA']
    """
    return re.split("[ -]", unicodedata.name(character, "?"))[0]
