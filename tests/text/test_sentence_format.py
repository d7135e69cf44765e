import types

from keras_transformer.text.sentence_format import SentenceFormat
from keras_transformer.text.special_tokens import BEGIN, END, PAD, SpecialTokens


def test_a_source_is_cut_inside_its_frame():
    sentence_format = SentenceFormat(source_prefix=(7,), source_suffix=(3, 8))
    assert sentence_format.source([4, 5, 6], longest=5) == [7, 4, 5, 3, 8]
    assert sentence_format.source([4, 5, 6], longest=2) == [7, 3, 8]
    assert SentenceFormat().source([4, 5, 6], longest=3) == [4, 5, END]


def test_labels_and_what_the_decoder_reads():
    sentence_format = SentenceFormat(SpecialTokens(1, 3, 2, 2), target_prefix=(9,))
    assert sentence_format.labels([4, 5]) == [9, 4, 5, 2] and sentence_format.target(
        sentence_format.labels([4, 5])
    ) == [2, 9, 4, 5]
    assert (
        sentence_format.around_source,
        sentence_format.around_labels,
        sentence_format.special.never_generated,
    ) == (1, 2, (1,))


def test_the_frame_of_two_tokenizers():
    around = dict(source_prefix=(5,), source_suffix=(0,), target_prefix=())
    source = types.SimpleNamespace(special=SpecialTokens(), **around)
    target = types.SimpleNamespace(
        special=SpecialTokens(9, 1, 9, 0), **around | {"target_prefix": (6,)}
    )
    assert SentenceFormat.of(source, target) == SentenceFormat(
        target.special, (5,), (0,), (6,)
    )
    assert (
        SentenceFormat.of(source).special.pad,
        SentenceFormat.of(source).special.begin,
        SentenceFormat().special.never_generated,
    ) == (
        PAD,
        BEGIN,
        (PAD, BEGIN),
    )
