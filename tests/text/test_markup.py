import collections

import pytest

from keras_transformer.text.markup import MOST, PRESETS, SYMBOLS, Markup, counts_of
from keras_transformer.text.tokenizer import Tokenizer

A, B = SYMBOLS[:2]


@pytest.mark.parametrize(
    "preset, text, marks",
    [
        ("printf", "%d of %5.2f, 100 % of %1$s %%", ("%d", "%5.2f", "%1$s", "%%")),
        ("python-format", "%(name)s {0:>10} {} {a.b!r}", None),
        ("icu", "{n} {when, date, short}", ("{n}", "{when, date, short}")),
        (
            "icu",
            "{n, plural, one {a file} other {{n} files}}",
            ("{n, plural, one {", "} other {", "{n}", "}}"),
        ),
        ("html", 'see <a href="x">it</a> &amp; <br/>', None),
        ("html", "https://a.org/b?c=d.", ("https://a.org/b?c=d",)),
        ("rst", "``a `b` c`` :py:func:`f <g>` `x <y>`__ |v| [1]_", None),
        ("rst", "**so** https://a.org", ("**so**", "https://a.org")),
        ("markdown", "`a` [text](b.md) ![](c.png)", None),
    ],
)
def test_presets(preset, text, marks):
    markup = Markup((preset,))
    masked, found = markup.protect(text)
    if marks is not None:
        assert found == marks
    assert not any(mark in masked for mark in found)
    assert markup.restore(masked, found, counts_of(masked)) == (text, ())


def test_code_with_two_backticks_is_one_mark():
    assert Markup(("rst",)).protect("a ``b`` c ``d``")[1] == ("``b``", "``d``")
    assert Markup(("markdown",)).protect("``a`b`` `c`")[1] == ("``a`b``", "`c`")


def test_every_preset_keeps_plain_text():
    text = "Fifty % of all, (e.g. 3 < 4 > 2) or 5% do: a_b * c * d, see note [2]."
    for preset in PRESETS:
        assert Markup((preset,)).protect(text) == (text, ())


def test_a_mark_that_comes_twice_has_one_symbol():
    masked, marks = Markup(("printf",)).protect("%s or %d or %s")
    assert masked == f"{A} or {B} or {A}"
    assert marks == ("%s", "%d")
    assert counts_of(masked)[:3] == [2, 1, 0]


def test_own_pattern_comes_first():
    markup = Markup(("printf",), pattern=r"@%\w")
    assert markup.protect("@%s %s")[1] == ("@%s", "%s")


def test_marks_beyond_the_most_stay_text():
    marks = [f"{{{n}}}" for n in range(MOST + 2)]
    text = " ".join(marks)
    masked, found = Markup(("python-format",)).protect(text)
    assert found == tuple(marks[:MOST])
    assert masked.endswith(" ".join(marks[MOST:]))


def test_pairs():
    markup = Markup(("rst",))
    assert markup.protect_pair("``a`` and ``b``", "``b`` y ``a``") == (
        f"{A} and {B}",
        f"{B} y {A}",
    )
    # A role's text that was translated belongs to the role.
    assert markup.protect_pair(":ref:`a <x>` ``b``", "``b`` :ref:`c <x>`") == (
        f"{A} {B}",
        f"{B} {A}",
    )
    assert markup.protect_pair("``a``", "a") is None
    assert markup.protect_pair("a", "``a``") is None
    assert markup.protect_pair("``a``", ":ref:`a`") is None


def test_restoring_loses_and_invents_nothing_in_silence():
    markup = Markup(("printf",))
    masked, marks = markup.protect("%s of %d and %d")
    counts = counts_of(masked)
    assert markup.restore(f"{B} {A}{A} x{SYMBOLS[5]}", marks, counts) == (
        "%d %s x",
        ("%d",),
    )


def test_text_that_spells_a_symbol_is_text():
    masked, marks = Markup(("printf",)).protect(f"{A} %s")
    assert counts_of(masked)[0] == 1
    assert marks == ("%s",)


def test_symbols_are_tokens():
    markup = Markup(("printf",))
    lines = [f"a man rides ({A}) a bike", "a man rides a horse"]
    tokenizer = Tokenizer.train(lines, vocab_size=56, markup=markup)
    text = f"a man ({B}) rides{A} a horse"
    (ids,) = tokenizer.encode([text])
    assert tokenizer.decode([ids]) == [text]
    first = tokenizer.first_symbol
    assert [number - first for number in ids if first <= number < first + MOST] == [
        1,
        0,
    ]
    # No piece of text has a part of a symbol in it.
    others = [piece for piece in tokenizer.pieces[4:] if piece not in SYMBOLS]
    assert not any("m0" in piece or "<" in piece for piece in others)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((("rts",),), "markup must be one of printf, .*; received 'rts'"),
        (((), "("), r"markup_pattern must be a regular expression \(.*; received '\('"),
        (((), "x*"), "markup_pattern must not match the empty text; received"),
        (
            ((), r"(['\"])\w+\1"),
            r"markup_pattern must be a regular expression \(cannot",
        ),
        (((), r"(?i)foo\d"), r"markup_pattern must be a regular expression \(global"),
    ],
)
def test_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        Markup(*arguments)


def test_an_empty_match_is_no_mark():
    markup = Markup((), r"\b|\d+")
    assert markup.protect("ab 12") == (f"ab {A}", ("12",))
    assert markup.marks_in("ab 12") == ["12"] and markup.places("ab 12") == [(3, 5)]
    assert markup.symbols_in("cd 12", ("12",)) == f"cd {A}"
    assert markup.protect_pair("ab 12", "12 cd") == (f"ab {A}", f"{A} cd")


RST = Markup(("rst", "python-format"))


@pytest.mark.parametrize(
    "written, read",
    [
        # Two marks that would be one get a space between them.
        ("so {0}{1}", "so ``x % y``:m:`__a__`"),
        ("so {0}{0}", "so ``x % y`` ``x % y``"),
        # What the model wrote by itself is no mark, nor part of one.
        ("con `pickle` en {1} y {0}", "con pickle en :m:`__a__` y ``x % y``"),
        ("**bold** {0}", "bold ``x % y``"),
        ("es 50%de {0}", "es 50% de ``x % y``"),
        ("{0} o ``x % y``", "``x % y`` o x  y"),
        # What the source has as text may stay, as often as it is there.
        ("{1} a |kept| b |kept|", ":m:`__a__` a |kept| b kept"),
        ("sin marcas: `a", "sin marcas: `a"),
    ],
)
def test_no_mark_is_invented(written, read):
    marks = ("``x % y``", ":m:`__a__`")
    text = written.replace("{0}", SYMBOLS[0]).replace("{1}", SYMBOLS[1])
    found, _ = RST.restore(text, marks, [2, 1], others=["|kept|"])
    assert found == read
    written_as_text = collections.Counter(RST.marks_in(found))
    assert not written_as_text - collections.Counter([*marks, marks[0], "|kept|"])
