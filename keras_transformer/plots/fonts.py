"""Fonts that have the characters of a picture: matplotlib's own has no Chinese, Japanese, Korean or Devanagari."""

import functools
import unicodedata
import warnings

from matplotlib import font_manager
from matplotlib.text import Text

DEFAULT = "DejaVu Sans"  # comes with matplotlib
# Has a box for every character, and none of the characters.
PLACEHOLDERS = "Last Resort"


def suit(figure):
    """Give the texts of a figure fonts that together have all their characters; the figure.

    Where no installed font has a character, a warning says which.
    """
    texts = figure.findobj(Text)
    families, missing = families_for("".join(text.get_text() for text in texts))
    for text in texts:
        text.set_fontfamily(families)
        text.set_parse_math(False)  # a "$" in a sentence is a "$"
    if missing:
        warnings.warn(
            f"no installed font has {missing!r}, which will be boxes in the picture: install one that has them, such "
            "as Noto Sans (for Chinese, Japanese and Korean Noto Sans CJK), and start Python anew",
            stacklevel=3,
        )
    return figure


def families_for(characters):
    """Font families, the first for as much as it has, and the characters that no installed font has."""
    families, missing = [DEFAULT], visible(characters) - characters_of(*default_font())
    if not missing:
        return families, ""
    installed = [
        e
        for e in font_manager.fontManager.ttflist
        if e.style == "normal" and PLACEHOLDERS not in e.name
    ]
    installed.sort(key=lambda entry: entry.name)
    while missing:
        best = max(
            installed,
            key=lambda entry: len(missing & characters_of(entry.fname, entry.index)),
            default=None,
        )
        found = missing & characters_of(best.fname, best.index) if best else ()
        if not found:
            break
        families.append(best.name)
        missing -= found
    return families, "".join(sorted(missing))


def visible(characters):
    """Those that a font must have: no spaces and no control characters."""
    return {
        character
        for character in characters
        if unicodedata.category(character)[0] not in "ZC"
    }


def default_font():
    return font_manager.findfont(DEFAULT), 0


@functools.cache
def characters_of(path, index):
    """The characters of a font file, or of one of several fonts in it."""
    place = path if index == 0 else font_manager.FontPath(path, index)
    return frozenset(map(chr, font_manager.get_font(place).get_charmap()))
