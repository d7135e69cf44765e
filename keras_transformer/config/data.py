"""How text becomes batches."""

import dataclasses
from typing import Literal

from .fields import count, option, whole
from .filters import FilterConfig


@dataclasses.dataclass(frozen=True)
class DataConfig(FilterConfig):
    """How text becomes batches."""

    vocab_size: int = option(
        8000, "SentencePiece tokens, special ones included", least=8, most=1_000_000
    )
    tokenizer: Literal["bpe", "unigram"] = option("bpe", "kind of SentencePiece model")
    byte_fallback: bool = option(
        False, "spell unknown characters as bytes, so that nothing is unknown"
    )
    share_embeddings: bool = option(True, "one vocabulary for both languages")
    max_length: int = option(
        128, "longest sentence in tokens with its end; longer pairs go", 2, 100_000
    )
    max_ratio: float = option(
        4.0, "largest ratio of two lengths in tokens; pairs beyond it are dropped", 1.0
    )
    markup: str | None = option(
        None,
        "markup that is copied as it is, such as rst,python-format; also printf, icu, "
        "html, markdown",
    )
    markup_pattern: str | None = option(
        None, "regular expression of one's own markup, copied as it is"
    )
    batch_tokens: int = count(4096, "target tokens in a batch, padding included")
    valid_size: int | None = whole(
        None,
        "source sentences held out if no validation files are given; a twentieth, at "
        "most 1,000, when absent; 0 for none",
    )
