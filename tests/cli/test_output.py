from keras_transformer.cli.output import one_line, row, translations
from keras_transformer.config import DecodingConfig
from keras_transformer.decoding.base_translator import Hypothesis

HYPOTHESIS = Hypothesis("ein\tMann", -0.5, (2, 1), (-0.25, -0.125))
PIECES = ["</s>", "▁Mann", "▁ein"]


class Parrot:
    """Translates nothing, and notes in which order it was asked what."""

    config = DecodingConfig(batch_size=2)

    def __init__(self):
        self.asked = []

    def hypotheses(self, texts, token_scores=False):
        self.asked.append(("hypotheses", texts, token_scores))
        return [[Hypothesis(text, 0.0, ())] * 2 for text in texts]

    def stream(self, lines, token_scores=False):
        for line in lines:
            yield from self.hypotheses([line], token_scores)

    def alignments(self, sources, targets):
        self.asked.append(("alignments", sources))
        return [[(0, len(target.text))] for target in targets]


def test_a_translation_is_one_line():
    assert one_line("ein\nMann\u2028geht") == "ein Mann geht"


def test_columns():
    assert row(HYPOTHESIS) == "ein\tMann"
    assert row(HYPOTHESIS, [(0, 0), (2, 1)]) == "ein Mann\t0-0 2-1"
    assert (
        row(HYPOTHESIS, [], 3, PIECES)
        == "3\t-0.5000\tein Mann\t\t▁ein:-0.2500 ▁Mann:-0.1250"
    )


def test_alignments_come_in_batches_and_belong_to_their_line():
    parrot = Parrot()
    found = list(
        translations(
            parrot, iter(["a", "bb", "ccc"]), alignments=True, token_scores=True
        )
    )
    assert [([h.text for h in hypotheses], links) for hypotheses, links in found] == [
        ([text] * 2, [[(0, len(text))]] * 2) for text in ("a", "bb", "ccc")
    ]
    assert [entry[1] for entry in parrot.asked if entry[0] == "alignments"] == [
        ["a", "a", "bb", "bb"],
        ["ccc"] * 2,
    ]
    assert all(entry[2] for entry in parrot.asked if entry[0] == "hypotheses")
    assert list(translations(Parrot(), iter(["a"]))) == [
        ([Hypothesis("a", 0.0, ())] * 2, [None] * 2)
    ]


def test_who_types_is_answered_at_once():
    parrot, typed = Parrot(), []
    lines = (typed.append(line) or line for line in ["a", "bb", "ccc"])
    for number, _ in enumerate(
        translations(parrot, lines, alignments=True, at_once=True), start=1
    ):
        assert len(typed) == number
