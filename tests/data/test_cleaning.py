import numpy as np

from keras_transformer.config import DataConfig
from keras_transformer.data.cleaning import FilterReport, judge


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
    assert str(FilterReport(1, 2, 3, 4)) == (
        "kept 1 of 10 pairs; dropped 9: 2 empty, 3 too long, 4 of unlikely length ratio"
    )
