import types

from keras_transformer.text.frame import Frame
from keras_transformer.text.special_tokens import BEGIN, END, PAD, SpecialTokens


def test_a_source_is_cut_inside_its_frame():
    frame = Frame(source_prefix=(7,), source_suffix=(3, 8))
    assert frame.source([4, 5, 6], longest=5) == [7, 4, 5, 3, 8]
    assert frame.source([4, 5, 6], longest=2) == [7, 3, 8]
    assert Frame().source([4, 5, 6], longest=3) == [4, 5, END]


def test_labels_and_what_the_decoder_reads():
    frame = Frame(pad=1, begin=2, end=2, target_prefix=(9,))
    assert frame.labels([4, 5]) == [9, 4, 5, 2] and frame.target(frame.labels([4, 5])) == [2, 9, 4, 5]
    assert (frame.around_source, frame.around_labels, frame.never) == (1, 2, (1,))


def test_the_frame_of_two_tokenizers():
    around = dict(source_prefix=(5,), source_suffix=(0,), target_prefix=())
    source = types.SimpleNamespace(special=SpecialTokens(), **around)
    target = types.SimpleNamespace(special=SpecialTokens(9, 1, 9, 0), **around | {"target_prefix": (6,)})
    assert Frame.of(source, target) == Frame(9, 9, 0, (5,), (0,), (6,))
    assert (Frame.of(source).pad, Frame.of(source).begin, Frame().never) == (PAD, BEGIN, (PAD, BEGIN))
