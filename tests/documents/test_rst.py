"""reStructuredText: text is translated, and nothing else."""

import re

import pytest
from shouting import saying, shouted

pytest.importorskip("docutils")

TEXT = """=====
Title
=====

:author: me

An *em* and **strong** with ``code``, :class:`dict` and
`a link <http://x.y>`_ see `name`_ |sub| [1]_ http://x.y/c. So \\*x\\*::

    code stays

- item
  wraps :func:`foo`

  .. note:: A note
     goes on.

term : classifier
   definition

.. versionchanged:: 3.5
   Now *it* is.

.. deprecated:: next
   Gone.

.. seealso:: this

.. py:function:: foo(x)
   :noindex:

   It does.

   :param x: a thing

.. code-block:: python

   code = 1

| line

.. figure:: a.png
   :alt: kept

   caption

.. [1] foot
.. |sub| replace:: kept
.. _name: http://x.y

.. comment
"""


def test_only_text_is_translated(tmp_path):
    found = shouted(tmp_path, "a.rst", TEXT)
    lines = """=====|TITLE|:author: me
|AN *EM* AND **STRONG** WITH ``code``, :class:`dict` AND
|`A LINK <http://x.y>`_ SEE `name`_ \\|sub\\| [1]_ http://x.y/c. SO \\*X\\*::
|    code stays|- ITEM WRAPS :func:`foo`|  .. note:: A NOTE GOES ON.
|TERM : classifier|   DEFINITION|.. versionchanged:: 3.5|   NOW *IT* IS.
|.. deprecated:: next|   GONE.|.. seealso:: THIS
|.. py:function:: foo(x)|   :noindex:|   IT DOES.|   :param x: A THING
|.. code-block:: python|   code = 1|\\| LINE
|.. figure:: a.png|   :alt: kept|   CAPTION|.. [1] FOOT
|.. \\|sub\\| replace:: kept|.. _name: http://x.y|.. comment"""
    expected = re.split(r"\n?(?<!\\)\|", lines)
    expected = [line.replace("\\|", "|") for line in expected]
    shown = [line for line in found.split("\n") if line]
    assert shown == [expected[0], expected[1], expected[0], *expected[2:]]


def test_the_line_below_a_title_grows(tmp_path):
    text = "Title\n=====\n\nA\n-\n"
    found = shouted(tmp_path, "a.rst", text, saying("long 題"))
    assert found == "long 題\n=======\n\nlong 題\n-------\n"


@pytest.mark.parametrize(
    "said, written",
    [
        ("- a", r"\- a"),
        ("a) b", r"\a) b"),
        ("*a* `b` c_ |d|", r"\*a\* \`b\` c\_ \|d\|"),
        ("a::", r"a\::"),
    ],
)
def test_what_looks_like_markup_is_escaped(tmp_path, said, written):
    assert shouted(tmp_path, "a.rst", "A word.\n", saying(said)) == f"{written}\n"


@pytest.mark.parametrize(
    "text, expected",
    [
        ("1. http://a.b is a\nthing.\n", "\\1. http://a.b IS A THING.\n"),
        ("a) ``x`` and\nmore.\n", "\\A) ``x`` AND MORE.\n"),
        ("1. *Go*\n=======\n", "1. *GO*\n=======\n"),
    ],
)
def test_a_number_begins_no_item_on_one_line(tmp_path, text, expected):
    assert shouted(tmp_path, "a.rst", text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "--go  |go|\n-o go, --out=go  |go|\n\n:param go: |go|\n",
        ".. unknown:: go\n\n::\n\n  go\n\n.. topic:: |go|\n\n   |go|\n",
        ".. sidebar:: |go|\n\n   |go| _`go` |go|\n\n|go| `go`_\n",
        # No line is known of these.
        ".. class:: go\n\n   |go|\n\n   .. rubric:: |go|\n\n   |go|\n",
        ".. note::\n\n   |go|\n\n   |go|\n\n   .. rubric:: |go|\n\n   |go|\n",
        "* |go|\n\n  |go|\n\n  |go|\n\n  .. rubric:: |go|\n\n  |go|\n",
    ],
)
def test_a_text_is_not_the_same_words_before_it(tmp_path, text):
    expected = text.replace("|go|", "GO")
    assert shouted(tmp_path, "a.rst", text.replace("|", "")) == expected


def test_what_references_name_stays(tmp_path):
    text = "Title\n=====\n\nSee Title_, `a b <http://x.y>`_, `A  b`_.\n\nOther\n=====\n"
    with pytest.warns(UserWarning, match="1 titles that references name stay as they"):
        found = shouted(tmp_path, "a.rst", text, saying("new"))
    assert found == (
        "Title\n=====\n\nnew Title_, `a b <http://x.y>`_, `A  b`_.\n\nnew\n=====\n"
    )
    message = "a.rst, line 6, must keep its markup in translation: 'Other'; received"
    with pytest.warns(UserWarning), pytest.raises(ValueError, match=message):
        shouted(tmp_path, "a.rst", text, saying("title"))


def test_tables_stay_and_are_told_of(tmp_path):
    text = "== ==\na  b\n== ==\n\nText.\n"
    with pytest.warns(UserWarning, match="the cells of 1 tables stay as they are"):
        found = shouted(tmp_path, "a.rst", text)
    assert found == text.replace("Text", "TEXT")


def test_a_tab_inside_a_line_is_refused(tmp_path):
    message = "a.rst, line 1, must be without tabs and odd ends of lines in a text; re"
    with pytest.raises(ValueError, match=message):
        shouted(tmp_path, "a.rst", "a\tb\n")


def test_a_translation_that_breaks_markup_is_refused(tmp_path):
    message = "a.rst, line 1, must keep its markup in translation: 'See this.'"
    with pytest.raises(ValueError, match=message):
        shouted(tmp_path, "a.rst", "See this.\n", saying("http://x.y"))
