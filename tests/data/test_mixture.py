"""Mixtures of corpora: weights, tags, and what the filters see of them."""

import collections

import pytest

from keras_transformer import train
from keras_transformer.config import DataConfig
from keras_transformer.data.corpus import clean_pairs
from keras_transformer.data.mixture import mix_pairs

NATURAL = [("a dog", "ein Hund"), ("a cat", "eine Katze")]
SYNTHETIC = [(f"{n} cats", f"{n} Katzen") for n in range(1000)]


def counts(pairs):
    return collections.Counter(pairs)


def test_whole_weights_and_tags():
    mixture = mix_pairs([NATURAL, SYNTHETIC[:1]], weights=[3, 1], tags=["", "<BT>"])
    expected = dict.fromkeys(NATURAL, 3) | {("<BT> 0 cats", "0 Katzen"): 1}
    assert counts(mixture) == expected
    # A file of pairs is read again.
    assert list(mixture) == list(mixture)


def test_a_part_of_a_weight_is_a_share_of_the_pairs():
    found = counts(mix_pairs([SYNTHETIC], weights=[0.3]))
    assert set(found.values()) == {1} and 250 < len(found) < 350
    found = counts(mix_pairs([SYNTHETIC], weights=[2.7]))
    assert set(found.values()) == {2, 3} and 2650 < found.total() < 2750


def test_the_seed_says_which_pairs():
    def drawn(**seed):
        return list(mix_pairs([SYNTHETIC, SYNTHETIC], weights=[0.5, 0.5], **seed))

    assert drawn() == drawn(seed=1) != drawn(seed=2)
    halves = counts(drawn())
    assert max(halves.values()) == 2  # the two corpora are drawn apart


def test_filters_see_each_corpus_without_its_tag():
    """A copy is no pair, duplicates go before weights count, tags are no markup."""
    copies = [("the same words here", "the same words here"), *NATURAL, NATURAL[0]]
    mixture = mix_pairs([copies, NATURAL], weights=[2, 1], tags=["<BT>", ""])
    corpus = clean_pairs(mixture)
    tagged = [(f"<BT> {source}", target) for source, target in NATURAL]
    assert counts(corpus) == dict.fromkeys(tagged, 2) | dict.fromkeys(NATURAL, 1)
    report = corpus.report
    assert (report.read, report.kept, report.mixed, len(corpus)) == (6, 4, 6, 6)
    assert report.dropped == {"drop_copies": 1, "drop_duplicates": 1}
    assert report.summary.endswith("1 drop_duplicates; 6 by their weights")
    assert clean_pairs(NATURAL).report.mixed is None


def test_a_tag_that_is_markup_is_refused(tmp_path):
    """Its pairs would have other markup on each side, and be left out."""
    mixture = mix_pairs([NATURAL], tags=["<BT>"])
    message = "tags must be no markup, which the model copies; received '<BT>'"
    for corpus in (mixture, clean_pairs(mixture)):
        how = dict(pairs=corpus, valid_pairs=NATURAL, data=DataConfig(markup="html"))
        with pytest.raises(ValueError, match=message):
            train(tmp_path / "run", **how)
    assert not (tmp_path / "run").exists()


def test_files_and_languages(tmp_path):
    for language, side in zip(("en", "de"), zip(*NATURAL)):
        (tmp_path / f"a.{language}").write_text("\n".join(side) + "\n")
    (tmp_path / "b.tsv").write_text("two dogs\tzwei Hunde\n")
    from keras_transformer.data.pairs import read_pairs

    files = read_pairs(tmp_path / "a.en", tmp_path / "a.de")
    mixture = mix_pairs([tmp_path / "b.tsv", files], tags=["<FT>", ""])
    assert clean_pairs(mixture).languages == ["en", "de"]
    assert list(mixture)[0] == ("<FT> two dogs", "zwei Hunde")


@pytest.mark.parametrize(
    "wrong, message",
    [
        (dict(weights=[1]), r"weights must be as many as the corpora, 2; rec.* \[1\]"),
        (dict(tags=["", "", ""]), "tags must be as many as the corpora, 2; received"),
        (dict(weights=[1, 0]), r"weights must be above 0; received \[1, 0\]"),
        (dict(weights=[1, float("inf")]), "weights must be above 0; received"),
        (
            dict(tags=["", "<BT> "]),
            "tags must be texts that have no white space around them",
        ),
    ],
)
def test_what_is_no_mixture(wrong, message):
    with pytest.raises(ValueError, match=message):
        mix_pairs([NATURAL, SYNTHETIC], **wrong)


def test_a_mixture_of_nothing():
    message = "pairs must hold at least one that passes the filters; received 'kept 1"
    with pytest.raises(ValueError, match=message):
        clean_pairs(mix_pairs([NATURAL[:1]], weights=[1e-9]))
