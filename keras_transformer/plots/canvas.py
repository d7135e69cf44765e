"""What a picture stands on: a figure, and fonts that have its characters.

Matplotlib's own font has no Chinese, Japanese, Korean or Devanagari.
"""

import functools
import warnings
from unicodedata import category

from matplotlib import font_manager
from matplotlib.figure import Figure
from matplotlib.text import Text

# It comes with matplotlib.
DEFAULT = "DejaVu Sans"


def canvas(size, rows=1, columns=1):
    """A figure of (width, height) inches, and the list of its axes."""
    figure = Figure(size, layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False).ravel().tolist()


def suit(figure):
    """Give a figure's texts fonts that have their characters, or warn; return it."""
    texts = figure.findobj(Text)
    families, missing = families_for("".join(text.get_text() for text in texts))
    for text in texts:
        text.set_fontfamily(families)
        text.set_parse_math(False)  # a "$" in a sentence is a "$"
    if missing:
        problem = (
            f"no installed font has {missing!r}, which will be boxes in the picture"
        )
        advice = "install one such as Noto Sans CJK, and start Python anew"
        warnings.warn(f"{problem}: {advice}", stacklevel=3)
    return figure


def families_for(characters):
    """Font families, the default first, and the characters that none of them has."""
    families = [DEFAULT]
    # Spaces and control characters need no font.
    missing = {letter for letter in characters if category(letter)[0] not in "ZC"}
    missing -= characters_of(font_manager.findfont(DEFAULT), 0)

    def found_in(font):
        # Last Resort has a box for every character, and none of the characters.
        if font.style != "normal" or "Last Resort" in font.name:
            return set()
        return missing & characters_of(font.fname, font.index)

    # The name, so that of equally good fonts it is always the same.
    def rank(font):
        return -len(found_in(font)), font.name

    while missing:
        best = min(font_manager.fontManager.ttflist, key=rank)
        found = found_in(best)
        if not found:
            break
        families.append(best.name)
        missing -= found
    return families, "".join(sorted(missing))


@functools.cache
def characters_of(path, index):
    """The characters of a font file, or of one of several fonts in it."""
    place = path if index == 0 else font_manager.FontPath(path, index)
    return {chr(code) for code in font_manager.get_font(place).get_charmap()}
