"""Tokenizers of language models, which the library `tokenizers` runs."""

from ...config import expect
from ...text.special_tokens import NO_TOKEN, SpecialTokens
from .base import Vocabulary, check_id
from .files import read_large_json, read_limited
from .library import (
    CONTENT,
    LibraryTokenizer,
    around_text,
    check_added,
    read_content,
    tokenizer_of,
)

SETTINGS = "tokenizer_config.json"
GENERATION = "generation_config.json"


class LanguageModelTokenizer(LibraryTokenizer):
    """The tokenizer of a language model's checkpoint; `stops` end texts beside END.

    As with `transformers`, text that spells a special token means it, and decoding
    leaves those out.
    """

    kind = "language_model"
    needs = (CONTENT, SETTINGS)
    skips_special = True

    def __init__(self, vocabulary, models, stops=()):
        super().__init__(vocabulary, models, stops=list(stops))
        for number in stops:
            check_id("stops", number, self.vocab_size)
        self.prompt_prefix = vocabulary.source_prefix
        self.stops = tuple(stops)


def read_library(files):
    """The tokenizer of a language model's checkpoint, for both sides."""
    files.check_languages()
    content = read_content(files.folder)
    settings = b"{}"
    if (files.folder / SETTINGS).exists():
        settings = read_limited(files.folder / SETTINGS)
    library = tokenizer_of(content)
    check_added(library, files)
    splits = files.get("split_special_tokens", bool)
    must = "be false: text that spells a special token means it"
    expect(not splits, "split_special_tokens", must, splits)
    size = files.size("vocab_size")
    pieces = files.pieces(CONTENT, library.get_vocab(), size, {})
    numbers = {piece: number for number, piece in enumerate(pieces)}
    ends = ids_of("eos", files, numbers)
    expect(ends, "eos_token_id", "be in config.json or the tokenizer's files", None)
    begins = ids_of("bos", files, numbers) or ends
    unknown = numbers.get(files.names().get("unk"), NO_TOKEN)
    special = SpecialTokens(NO_TOKEN, unknown, begins[0], ends[0])
    vocabulary = Vocabulary(pieces, special, source_prefix=prefix_of(library))
    models = {CONTENT: content, SETTINGS: settings}
    return LanguageModelTokenizer(vocabulary, models, ends[1:])


def ids_of(key, files, numbers):
    """The ids that begin (`"bos"`) or end (`"eos"`) a text, config.json's first.

    As for `generate` of `transformers`, generation_config.json says which, then
    config.json, then the tokenizer.
    """
    name = f"{key}_token_id"
    own = as_list(files.config.get(name))
    path = files.folder / GENERATION
    said = as_list(read_large_json(path).get(name)) if path.exists() else []
    if said:
        found = [*(number for number in own if number in said), *said]
        return [*dict.fromkeys(found)]
    return own or as_list(numbers.get(files.names().get(key)))


def as_list(ids):
    """Ids, of which files may have none, one, or several."""
    if ids is None:
        return []
    return ids if isinstance(ids, list) else [ids]


def prefix_of(library):
    """The ids that the library puts before each text."""
    prefix, suffix = around_text(library)
    expect(not suffix, CONTENT, "put nothing after a text", suffix)
    return prefix
