import types

from keras_transformer.text.sentence_format import SentenceFormat
from keras_transformer.text.special_tokens import END, SpecialTokens


def test_a_source_is_cut_inside_its_format():
    layout = SentenceFormat(source_prefix=(7,), source_suffix=(3, 8))
    assert layout.source([4, 5, 6], longest=5) == [7, 4, 5, 3, 8]
    assert layout.source([4, 5, 6], longest=2) == [7, 3, 8]
    assert SentenceFormat().source([4, 5, 6], longest=3) == [4, 5, END]


def test_labels_and_what_the_decoder_reads():
    special = SpecialTokens(pad=1, begin=2, end=2)
    layout = SentenceFormat(special, target_prefix=(9,))
    assert layout.labels([4, 5]) == [9, 4, 5, 2]
    assert layout.target(layout.labels([4, 5])) == [2, 9, 4, 5]
    assert (layout.around_source, layout.around_labels) == (1, 2)
    assert special.never_generated == (1,)
    assert SpecialTokens().never_generated == (0, 2)


def test_the_format_of_two_tokenizers():
    around = dict(source_prefix=(5,), source_suffix=(0,))
    source = types.SimpleNamespace(special=SpecialTokens(), target_prefix=(), **around)
    special = SpecialTokens(9, 1, 9, 0)
    target = types.SimpleNamespace(special=special, target_prefix=(6,), **around)
    expected = SentenceFormat(special, (5,), (0,), (6,))
    assert SentenceFormat.of(source, target) == expected
    assert SentenceFormat.of(source).special == SpecialTokens()
