"""Tokens hidden for a masked language model to find."""

import numpy as np

from ..config import expect


def mask_tokens(ids, mask_id, vocab_size, special, seed, share=0.15):
    """Hide some of the tokens, as BERT's training does.

    Of those chosen 80 % become the mask, 10 % another token by chance, which is no
    special one, and 10 % stay.

    Args:
        ids: `(B, S)` token ids.
        mask_id: the id of the mask.
        vocab_size: number of tokens.
        special: ids that are never chosen, nor put in another's place: padding, begin,
            end and the mask.
        seed: of what is chosen: the same choice for the same seed.
        share: how many of the other tokens are chosen, between 0 and 1.

    Returns:
        the ids as the model is to see them, the labels, which are the ids as they were,
        both int32, and the weights, 1 at the chosen tokens and 0 elsewhere, float32;
        all `(B, S)`.

    Raises:
        ValueError: if an argument is out of range, or all tokens are special.

    Examples:
        >>> ids = np.array([[2, 5, 7, 9, 6, 3, 0]])
        >>> seen, labels, weights = mask_tokens(
        ...     ids, mask_id=4, vocab_size=11, special=range(5), seed=1, share=1.0
        ... )
        >>> weights.tolist()
        [[0.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0]]

    Source: Devlin et al. 2019 (BERT), section 3.1.
    """
    ids = np.asarray(ids)
    is_rows = ids.ndim == 2 and np.issubdtype(ids.dtype, np.integer)
    expect(is_rows, "ids", "be integers (B, S)", f"{ids.dtype} {ids.shape}")
    last = vocab_size - 1
    is_known = ids.size == 0 or 0 <= ids.min() <= ids.max() <= last
    expect(is_known, "ids", f"lie between 0 and {last}", ids)
    expect(0 <= mask_id <= last, "mask_id", f"lie between 0 and {last}", mask_id)
    expect(0 <= share <= 1, "share", "be between 0 and 1", share)
    others = np.setdiff1d(np.arange(vocab_size), [*special, mask_id])
    expect(others.size > 0, "special", "leave some tokens", special)
    random = np.random.default_rng(seed)
    is_chosen = (random.random(ids.shape) < share) & np.isin(ids, others)
    fate = random.random(ids.shape)
    seen = np.where(is_chosen & (fate < 0.8), mask_id, ids)
    is_replaced = is_chosen & (fate >= 0.8) & (fate < 0.9)
    seen = np.where(is_replaced, random.choice(others, ids.shape), seen)
    arrays = (seen.astype("int32"), ids.astype("int32"))
    return *arrays, is_chosen.astype("float32")
