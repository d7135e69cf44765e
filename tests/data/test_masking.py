import numpy as np
import pytest

from keras_transformer import mask_tokens

SPECIAL = (0, 1, 2, 3)
MASK = 4


def texts(rows=400, length=50):
    ids = np.random.default_rng(0).integers(5, 97, (rows, length))
    ids[:, 0] = 2
    ids[:, 40] = 3
    ids[:, 41:] = 0
    return ids


def masked(ids, **changes):
    given = dict(mask_id=MASK, vocab_size=97, special=SPECIAL, seed=7)
    return mask_tokens(ids, **{**given, **changes})


def test_shares_are_berts_and_special_tokens_stay():
    ids = texts()
    seen, labels, weights = masked(ids)
    np.testing.assert_array_equal(labels, ids)
    is_text = ids > 4
    chosen = weights == 1
    assert not chosen[~is_text].any() and set(np.unique(weights)) == {0, 1}
    assert abs(chosen[is_text].mean() - 0.15) < 0.01
    hidden = (seen == MASK)[chosen]
    stays = (seen == ids)[chosen]
    assert abs(hidden.mean() - 0.8) < 0.03
    # One of 92 others is the same by chance.
    assert abs(stays.mean() - 0.1) < 0.03
    replaced = seen[chosen][~hidden & ~stays]
    assert replaced.min() > MASK and len(np.unique(replaced)) > 60
    np.testing.assert_array_equal(seen[~chosen], ids[~chosen])
    assert (seen.dtype, labels.dtype, weights.dtype) == ("int32", "int32", "float32")


def test_the_seed_decides():
    ids = texts(20)
    for one, two in zip(masked(ids), masked(ids.tolist())):
        np.testing.assert_array_equal(one, two)
    assert np.any(masked(ids)[2] != masked(ids, seed=8)[2])


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_none_and_all(share):
    ids = texts(3)
    _, _, weights = masked(ids, share=share)
    np.testing.assert_array_equal(weights, (ids > 4) * share)


@pytest.mark.parametrize(
    "changes, message",
    [
        (dict(ids=[5, 6]), r"ids must be integers \(B, S\); received 'int64 \(2,\)'"),
        (dict(ids=[[0.5]]), "ids must be integers"),
        (dict(ids=[[97]]), "ids must lie between 0 and 96"),
        (dict(ids=[[-1]]), "ids must lie between 0 and 96"),
        (dict(mask_id=97), "mask_id must lie between 0 and 96; received 97"),
        (dict(share=1.5), "share must be between 0 and 1; received 1.5"),
        (dict(special=range(97)), "special must leave some tokens; received"),
    ],
)
def test_what_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        masked(**{"ids": [[5, 6]], **changes})
