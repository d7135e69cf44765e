"""Each filter drops or repairs what it is named after, and nothing else."""

import dataclasses

import numpy as np
import pytest

from keras_transformer.config import CleaningConfig, DataConfig, FilterConfig
from keras_transformer.data.corpus import clean_pairs
from keras_transformer.data.duplicates import Seen
from keras_transformer.data.filters import is_name_or_code
from keras_transformer.data.pairs import read_pairs

GOOD = [
    ("The cat sleeps on the old sofa.", "El gato duerme en el viejo sofá."),
    ("Use ``dict`` & <b>run</b> it.", "Usa ``dict`` & <b>ejecútalo</b>."),
    ("Guido van Rossum", "Guido van Rossum"),
    ("``os.path``", "``os.path``"),
    ("R&amp;D is here.", "R&amp;D está aquí."),
    ("``�`` is a character.", "``�`` es un carácter."),
    ("No.", "Por supuesto que no lo es."),
    ("Don`t", "No lo hagas"),
    ("1 < 2", "1 < 2"),
    ("He moved to Αθήνα.", "Se mudó a Αθήνα."),
    ("Copy <last> first.", "Copia <último> primero."),
]
FIELDS = dataclasses.fields(FilterConfig)
OFF = {field.name: False for field in FIELDS if field.type is bool}
DROPPED = [
    ("empty", (" ", "Nada")),
    ("repair_encoding", ("The caf� is open.", "El café está abierto.")),
    ("drop_lengths", ("word " * 1100, "palabra " * 1100)),
    ("drop_lengths", ("Yes.", "Nada de todo eso tiene que ver con lo que digo. " * 5)),
    ("drop_copies", ("The cat sleeps on the sofa.", "The cat sleeps on the sofa.")),
    ("drop_copies", ("Open file", "Open file")),
    ("drop_script", ("The cat sleeps on the sofa.", "Кошка спит на диване.")),
    ("drop_script", ("猫在沙发上睡觉。", "El gato duerme.")),
    ("drop_markup", ("Press <b>here</b>.", "Pulsa <b>aquí.")),
    ("drop_markup", ("Call ``run`` now.", "Llama a ``run` ahora.")),
    ("drop_duplicates", GOOD[0]),
    ("drop_near_duplicates", ("the cat sleeps, on the OLD sofa", GOOD[0][1] + " 3")),
]
REPAIRED = [
    ("repair_encoding", ("It is.", "EstÃ¡ abierto."), ("It is.", "Está abierto.")),
    ("repair_controls", ("A\x08 dog\ufeff", "Un\x07 perro"), ("A dog", "Un perro")),
    ("repair_entities", ("Tom & I", "Tom &amp; yo"), ("Tom & I", "Tom & yo")),
    ("repair_entities", ("It&#39;s", "Es"), ("It's", "Es")),
]  # fmt: skip


@pytest.mark.parametrize("config", [CleaningConfig(), DataConfig()])
def test_good_pairs_stay(config):
    assert list(clean_pairs(GOOD, config=config)) == GOOD


@pytest.mark.parametrize("name, pair", DROPPED)
def test_each_filter_drops(name, pair):
    on = FilterConfig(**OFF | ({name: True} if name != "empty" else {}))
    corpus = clean_pairs([*GOOD, pair], config=on)
    assert list(corpus) == GOOD
    assert corpus.report.dropped == {name: 1}
    shown = [text[:300] for text in pair]
    assert corpus.report.examples == {name: shown}
    if name != "empty":
        off = clean_pairs([*GOOD, pair], config=FilterConfig(**OFF))
        assert list(off) == [*GOOD, pair]


@pytest.mark.parametrize("name, pair, expected", REPAIRED)
def test_each_repair(name, pair, expected):
    corpus = clean_pairs([*GOOD, pair], config=FilterConfig(**OFF | {name: True}))
    assert list(corpus) == [*GOOD, expected]
    assert corpus.report.repaired == {name: 1}


def test_languages():
    pytest.importorskip("py3langid")
    other = ("The cat sleeps on the sofa.", "Le chat dort sur le canapé de la maison.")
    rows = [dict(zip(("en", "es"), pair)) for pair in [*GOOD, other]]
    config = FilterConfig(**OFF | dict(drop_language=True))
    how = dict(source_language="en", target_language="es")
    corpus = clean_pairs(rows, config=config, **how)
    assert list(corpus) == GOOD
    assert corpus.report.dropped == {"drop_language": 1}
    how = dict(source_language="en", target_language="xx", columns=("en", "es"))
    with pytest.raises(ValueError, match="be known to py3langid with drop_language: a"):
        clean_pairs(rows, config=config, **how)
    with pytest.raises(ValueError, match="must be given with drop_language; rec"):
        clean_pairs(GOOD, config=config)


@pytest.mark.parametrize(
    "text, expected",
    [
        ("Python", True),
        ("New York", True),
        ("Universidad de Chile", True),
        ("os.path.join(a, b)", True),
        (":ref:`search the docs <x>`", True),
        ("https://example.org/all the way", False),
        ("hello world", False),
        ("我昨天在图书馆读了一本书", False),
        ("北京", True),
    ],
)  # fmt: skip
def test_what_is_a_name_or_code(text, expected):
    assert is_name_or_code(text) is expected


def test_marks_are_seen_once():
    marks = np.random.default_rng(1).integers(0, 500, 3000).astype(np.uint64)
    seen = Seen()
    found = np.concatenate([seen.add(marks[n : n + 100]) for n in range(0, 3000, 100)])
    expected = np.zeros(3000, bool)
    expected[np.unique(marks, return_index=True)[1]] = True
    assert (found == expected).all()
    assert sum(map(len, seen.arrays)) == len(np.unique(marks))


def test_the_report_in_words():
    pairs = [GOOD[0], GOOD[0], ("a\nb", ""), REPAIRED[1][1]]
    assert str(clean_pairs(pairs).report).splitlines() == [
        "kept 2 of 4 pairs; dropped 2: 1 empty, 1 drop_duplicates; repaired: "
        "1 repair_controls",
        "filter                   dropped  repaired  one of them",
        "empty                          1         0  'a b' -> ''",
        "repair_controls                0         1  "
        "'A\\x08 dog\\ufeff' -> 'Un\\x07 perro'",
        "drop_duplicates                1         0  "
        "'The cat sleeps on the old sofa.' -> 'El gato duerme en el viejo sofá.'",
        "To keep them as they are: --no-repair-controls --no-drop-duplicates",
    ]


def test_nothing_is_left():
    with pytest.raises(
        ValueError, match="filters; received 'kept 0 of 1 pairs; dropped"
    ):
        clean_pairs([("a long copy of it", "a long copy of it")])


def test_what_is_clean_is_read_once(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text("a dog\tein Hund\n\tx\n")
    corpus = clean_pairs(read_pairs(path))
    path.unlink()
    one = iter(corpus)
    other = iter(corpus)
    assert next(one) == next(other) == ("a dog", "ein Hund")
    assert corpus.report.skipped == {"untranslated": 1}
    assert clean_pairs(corpus) is corpus and len(corpus) == 1
