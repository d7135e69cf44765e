"""Hold docs/troubleshooting.md against the messages in the source."""

import ast
import functools
import re
from pathlib import Path

import pytest

import keras_transformer

PACKAGE = Path(keras_transformer.__file__).parent
PAGE = PACKAGE.parent / "docs" / "troubleshooting.md"


def pattern(node):
    """Return the regular expression of a string in the source, or None."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return re.escape(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(pattern(part) or ".+" for part in node.values)
    return None


@functools.cache
def trees():
    paths = sorted(PACKAGE.rglob("*.py"))
    return [ast.parse(path.read_text("utf-8")) for path in paths]


@functools.cache
def expectations():
    """Return the literal expectations of the calls of `expect`."""
    found = set()
    for tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "expect":
                found.add(pattern(node.args[2]))
    return sorted(found - {None, ".+"})


@functools.cache
def strings():
    """Return the patterns of all strings of several words in the source, compiled."""
    found = set()
    for tree in trees():
        for node in ast.walk(tree):
            text = pattern(node)
            fixed = (text or "").replace(".+", "")
            if "\\ " in fixed and len(fixed) > 7:
                found.add(text)
    # `re` remembers a few hundred, and these are thousands.
    return [re.compile(text) for text in sorted(found)]


def quotes(title=None):
    """Return what the first column of the tables quotes."""
    text = PAGE.read_text("utf-8")
    if title:
        text = text.split(f"## {title}\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (.*?) \|", text, re.MULTILINE)
    return [quote for row in rows for quote in re.findall("`([^`]+)`", row)]


FAMILIES = quotes("How to read such a sentence")


@pytest.mark.parametrize("family", FAMILIES)
def test_each_family_is_in_the_source(family):
    assert any(each.startswith(re.escape(family)) for each in expectations())


def test_each_expectation_is_on_the_page():
    page = PAGE.read_text("utf-8")
    starts = tuple(re.escape(f"{family} ") for family in FAMILIES)
    missing = []
    for each in expectations():
        known = f"{each}\\ ".startswith(starts) or re.search(each, page)
        if not known:
            missing.append(each)
    assert not missing


@pytest.mark.parametrize("quote", sorted(set(quotes()) - set(FAMILIES)))
def test_each_quote_is_in_the_source(quote):
    said = quote.lstrip(". ").split(" must ")[-1]
    known = False
    for each in strings():
        fits = each.search(quote) or each.search(said)
        known = known or bool(fits) or re.escape(said) in each.pattern
    assert known
