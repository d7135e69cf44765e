"""Whether what a translator is made of is of the right kind, and fits together."""

from ..config import DecodingConfig, expect, expect_kind


def check_parts(model, kind, must, config):
    """Raise a `ValueError` unless a model has a configuration of a kind.

    `must` says what model it must be; `config` is that of the search.
    """
    is_one = isinstance(getattr(model, "config", None), kind)
    expect(is_one, "model", must, type(model).__name__)
    expect_kind("config", config, DecodingConfig)


def check_tokenizer(name, tokenizer, size):
    """Raise a `ValueError` unless a tokenizer has as many tokens as its model."""
    found = getattr(tokenizer, "vocab_size", None)
    expect(found is not None, name, "be a Tokenizer", type(tokenizer).__name__)
    expect(found == size, name, f"have the model's {size} tokens", found)


def check_special_ids(name, tokenizer, config):
    """Raise a `ValueError` unless a tokenizer's special ids are a config's."""
    special = tokenizer.special
    expected = (config.pad_id, config.begin_id, config.end_id)
    found = (special.pad, special.begin, special.end)
    what = f"have the model's ids {expected} of pad, begin and end"
    expect(found == expected, name, what, found)
