import numpy as np

from keras_transformer.config import DataConfig
from keras_transformer.data.cleaning import FilterReport, judge
from keras_transformer.data.store import TokenStore
from keras_transformer.text.tokenizer import Tokenizer


def test_judging_counts_end_tokens():
    expected = {
        (9, 9): "kept",
        (10, 9): "too_long",
        (9, 10): "too_long",
        (0, 10): "empty",
        (3, 0): "empty",
        (2, 8): "kept",  # 3 and 9 with end tokens
        (9, 2): "ratio",
    }
    config = DataConfig(max_length=10, max_ratio=3.0)
    assert judge(np.array([*expected]), config).tolist() == [*expected.values()]


def test_the_report_in_words():
    assert str(FilterReport(kept=1, empty=2, too_long=3, ratio=4)) == (
        "kept 1 of 10 pairs; dropped 9: 2 empty, 3 too long, 4 of unlikely length ratio"
    )


def test_the_report_says_what_other_limits_would_keep():
    """Both filters drop something."""
    lines = ["a", "a b", "a b c d", "a b c d e f g h", "a b c d", ""]
    others = ["a", "a b", "a b c d", "a b c d e f g h", "a", "a"]
    tokenizer = Tokenizer.train(lines, 20)
    config = DataConfig(max_length=5, max_ratio=2.0)
    assert [len(ids) for ids in tokenizer.encode(lines)] == [1, 2, 4, 9, 4, 0]
    store = TokenStore.from_lines(lines, others, tokenizer, config=config)
    assert str(store.report) == (
        "kept 3 of 6 pairs; dropped 3: 1 empty, 1 too long (longer than max_length=5 "
        "tokens; the longest has 10), 1 of unlikely length ratio (above max_ratio=2.0)"
        "; max_length=10 would keep 4; max_length=20 would keep 4; "
        "max_ratio=4.0 would keep 4; max_ratio=8.0 would keep 4"
    )
