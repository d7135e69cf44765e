"""CSV, TSV and JSON lines: a column of translations, and what stays to the byte."""

import json

import pytest
from shouting import shouted

pytest.importorskip("translate")


@pytest.mark.parametrize(
    "name, text, expected",
    [
        (
            "a.csv",
            'id,text\r\n1,"Hi, ""you"". Bye."\r\n2,\r\n\r\n3,"a\r\nb"\r\n',
            'id,text,translation\r\n1,"Hi, ""you"". Bye.","HI, ""YOU"". BYE."\r\n2,,'
            '\r\n\r\n3,"a\r\nb","A\r\nB"\r\n',
        ),
        (
            "a.csv",
            "\ufefftranslation;text;n\nAlt;Old;1\n;New, one;2\n",
            "\ufefftranslation;text;n\nAlt;Old;1\nNEW, ONE;New, one;2\n",
        ),
        ("a.csv", '"text"\n"a"', '"text","translation"\n"a","A"'),
        (
            "a.tsv",
            'text\tnote\n"a, b\t1\n\t2\n',
            'text\tnote\ttranslation\n"a, b\t1\t"A, B\n\t2\t\n',
        ),
        (
            "a.jsonl",
            '{"text": "é, \\"a\\"", "n": 1.0e5 }\n\n{"text": null}\r\n{}\n'
            '{"text": "b", "translation" : ""}\n{"text": "c", "translation": "d"}',
            '{"text": "é, \\"a\\"", "n": 1.0e5, "translation": "É, \\"A\\"" }\n\n'
            '{"text": null, "translation": null}\r\n{}\n'
            '{"text": "b", "translation" : "B"}\n{"text": "c", "translation": "d"}',
        ),
    ],
)
def test_a_column_of_translations(tmp_path, name, text, expected):
    assert shouted(tmp_path, name, text, column="text") == expected
    again = shouted(tmp_path, f"again-{name}", expected, column="text")
    assert again == expected


def test_the_column_may_have_another_name(tmp_path):
    how = dict(column="en", into="de")
    found = shouted(tmp_path, "a.csv", "en,de,n\na,,1\n", **how)
    assert found == "en,de,n\na,A,1\n"
    found = shouted(tmp_path, "a.ndjson", '{"en": "a"}', **how)
    assert json.loads(found) == {"en": "a", "de": "A"}


@pytest.mark.parametrize(
    "name, text, message",
    [
        ("a.csv", "a,b\n", r"column must be one of \['a', 'b'\]; received 'text'"),
        ("a.csv", "text,text\n", "column must be one of"),
        ("a.csv", "", r"column must be one of \[\]; received 'text'"),
        ("a.csv", "text,b\n1,2\n3\n", "a.csv, line 3, must have 2 cells; received 1"),
        ("a.csv", 'text\n"a"b\n', "a.csv, line 2, must have whole quotes; received 'b"),
        ("a.tsv", "text\tb\n1\n", "a.tsv, line 2, must have 2 cells; received 1"),
        ("a.csv", b"text\n\xe9\n", "a.csv must be utf-8; line 2 is not: "),
        ("a.jsonl", '{"text": "a"}\n{', "a.jsonl, line 2, must be JSON; received Exp"),
        ("a.jsonl", "[]", r"a.jsonl, line 1, must be an object; received \[\]"),
        ("a.jsonl", '{"a": "b"}', r"column must be one of \['a'\]; received 'text'"),
        ("a.jsonl", '{"text": 1}', "line 1, must have a string in 'text'; received 1"),
        (
            "a.jsonl",
            '{"text": "a", "translation": [], "b": {"translation": ""}, '
            '"c": {"translation": null}}',
            'line 1, must have "translation" once; received 2',
        ),
    ],
)
def test_what_is_no_table_is_refused(tmp_path, name, text, message):
    with pytest.raises(ValueError, match=message):
        shouted(tmp_path, name, text, column="text")


def test_the_two_columns_differ(tmp_path):
    message = "into must be a column other than the one read; received 'text'"
    with pytest.raises(ValueError, match=message):
        shouted(tmp_path, "a.csv", "text\na\n", column="text", into="text")


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_a_column_must_be_named(tmp_path, name):
    with pytest.raises(ValueError, match=f"column must be given for .*{name}"):
        shouted(tmp_path, name, "text\na\n")


def test_tabs_stay(tmp_path):
    rows = '{"text": "Open\\tNow"}\n'
    found = shouted(tmp_path, "a.jsonl", rows, column="text")
    assert '"translation": "OPEN\\tNOW"' in found
    found = shouted(tmp_path, "a.csv", "id,text\n1,Open\tNow\n", column="text")
    assert "OPEN\tNOW" in found
