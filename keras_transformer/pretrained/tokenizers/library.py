"""Tokenizers of checkpoints that the library `tokenizers` makes and runs."""

import numpy as np

from ...config import expect
from ...runs.extras import needed
from ...text.lines import checked_texts
from .base import CheckpointTokenizer
from .files import read_limited

CONTENT = "tokenizer.json"


class LibraryTokenizer(CheckpointTokenizer):
    """Both sides of a checkpoint, as its `tokenizer.json` says, such as BART's.

    Args:
        vocabulary: a `Vocabulary`.
        models: the content of `"tokenizer.json"`.

    Raises:
        ImportError: if `tokenizers` is not installed.
        ValueError: if it cannot read the content.
    """

    kind = "tokenizers"
    needs = (CONTENT,)

    def __init__(self, vocabulary, models):
        super().__init__(vocabulary, models)
        self._tokenizer = tokenizer_of(models[CONTENT])

    def encode(self, lines):
        texts = [*checked_texts(lines, "lines")]
        found = self._tokenizer.encode_batch(texts, add_special_tokens=False)
        return [row.ids for row in found]

    def _decode_ids(self, ids):
        return self._tokenizer.decode(ids, skip_special_tokens=False)


class EncoderTokenizer:
    """Texts, or pairs of texts, as the inputs of an encoder's model.

    Args:
        tokenizer: a `tokenizers.Tokenizer`.
        config: the `EncoderConfig` of the model.

    Call arguments:
        texts: a list of strings.
        others: the second text of each pair, such as the context of a question.

    Returns:
        a dictionary of `token_ids (B, S)`, cut to the model's positions, and
        `token_types` where the model reads them; int32.

    Raises:
        ValueError: if texts are no strings, or there are not as many others.
    """

    def __init__(self, tokenizer, config):
        self.tokenizer = tokenizer
        self.config = config
        tokenizer.enable_truncation(config.longest)
        tokenizer.enable_padding(pad_id=config.pad_id)

    def __call__(self, texts, others=None):
        texts = [*checked_texts(texts, "texts")]
        given = texts
        if others is not None:
            others = [*checked_texts(others, "others")]
            number = len(texts)
            must = f"be as many as texts, {number}"
            expect(len(others) == number, "others", must, len(others))
            given = [*zip(texts, others)]
        found = self.tokenizer.encode_batch(given)
        batch = {"token_ids": np.array([row.ids for row in found], "int32")}
        if self.config.token_types > 1:
            types = [row.type_ids for row in found]
            batch["token_types"] = np.array(types, "int32")
        return batch


def tokenizer_of(content):
    """The `tokenizers.Tokenizer` of a `tokenizer.json`, which neither cuts nor pads."""
    needed("tokenizers", extra="pretrained")
    import tokenizers

    try:
        found = tokenizers.Tokenizer.from_str(content.decode("utf-8"))
    except Exception as error:  # of the library's own kind
        reason = str(error).splitlines()[0]
        raise ValueError(f"{CONTENT} cannot be used: {reason}") from None
    found.no_truncation()
    found.no_padding()
    return found


def library_content(folder):
    """The `tokenizer.json` of a folder, made of its older files if it has none.

    Returns:
        its content; None if there are no files of a tokenizer.
    """
    if (folder / CONTENT).exists():
        return read_limited(folder / CONTENT)
    return None


def read_encoder_tokenizer(folder, config):
    """The `EncoderTokenizer` of a checkpoint's folder; None without files of one."""
    content = library_content(folder)
    if content is None:
        return None
    return EncoderTokenizer(tokenizer_of(content), config)
