"""Which pairs are dropped from a corpus, and which are repaired."""

import dataclasses

from .fields import check_fields, count, option

LENGTHS = ("drop_lengths", True)
ENTITIES = "read entities, such as &amp;, that one side alone has"
DUPLICATES = "drop pairs that came before"


@dataclasses.dataclass(frozen=True, kw_only=True)
class FilterConfig:
    """Which pairs are dropped, and which are repaired.

    By default only what is clearly wrong is dropped or repaired; clean text stays as it
    is.
    """

    repair_encoding: bool = option(
        True, "decode again what was decoded wrongly; drop what is lost (U+FFFD)"
    )
    repair_controls: bool = option(True, "take out control characters")
    # Tokenised text is full of them.
    repair_entities: bool = option(False, ENTITIES)
    drop_lengths: bool = option(True, "drop sides too long, or too unlike in length")
    max_characters: int = count(5000, "characters of a side", only=LENGTHS)
    max_character_ratio: float = option(
        6.0, "ratio of the lengths of two sides, each plus 20", 1.0, only=LENGTHS
    )
    drop_copies: bool = option(
        True, "drop pairs of equal sides, unless they are a name or code"
    )
    drop_script: bool = option(True, "drop sides in a script that is rare there")
    drop_language: bool = option(
        False, "drop sides in another language, as py3langid sees it"
    )
    drop_markup: bool = option(
        True, "drop pairs with unbalanced tags or quotes of code on one side alone"
    )
    # Natural text says some sentences twice.
    drop_duplicates: bool = option(False, DUPLICATES)
    drop_near_duplicates: bool = option(
        False, f"{DUPLICATES}, whatever their case, digits and punctuation"
    )

    def __post_init__(self):
        check_fields(self)


@dataclasses.dataclass(frozen=True, kw_only=True)
class CleaningConfig(FilterConfig):
    """The filters of `clean`: those of a training, entities and duplicates."""

    repair_entities: bool = option(True, ENTITIES)
    drop_duplicates: bool = option(True, DUPLICATES)
