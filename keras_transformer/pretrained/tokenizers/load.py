"""The tokenizers of a checkpoint's folder, and of a run that was made of one."""

from pathlib import Path

from ...config import one_of
from ...runs.sealed_files import reading
from ...text.special_tokens import SpecialTokens
from .base import LISTS_OF_IDS, Vocabulary
from .files import TokenizerFiles, read_large_json, read_limited
from .fsmt import FsmtTokenizer, read_fsmt
from .language_model import LanguageModelTokenizer, read_library
from .library import LibraryTokenizer, read_bart, read_t5
from .marian import MarianTokenizer, read_marian
from .multilingual import MultilingualTokenizer, read_multilingual

# Each gives the tokenizer of source and target, or a pair of different ones.
READERS = {
    "marian": read_marian,
    "fsmt": read_fsmt,
    "m2m_100": read_multilingual,
    "mbart": read_multilingual,
    "bart": read_bart,
    "t5": read_t5,
    "gpt2": read_library,
    "llama": read_library,
    "qwen2": read_library,
}
TOKENIZERS = (
    MarianTokenizer,
    MultilingualTokenizer,
    FsmtTokenizer,
    LibraryTokenizer,
    LanguageModelTokenizer,
)
KINDS = {one.kind: one for one in TOKENIZERS}


def load_tokenizers(folder, config, source_lang=None, target_lang=None):
    """The source and the target tokenizer of a checkpoint.

    Their ids are the files' own and their sizes the model's; they are the same object
    if both sides are cut alike. Languages are those of `pretrained.load`: `"en"`
    (M2M100), `"eng_Latn"` (NLLB), `"en_XX"` (mBART); of a Marian checkpoint the target
    if it has `">>xx<<"` tokens.

    Raises:
        ValueError: if the model type or a language is unknown, or a file is missing or
            damaged.
        ImportError: if the checkpoint is FSMT's and its extra is not installed.
    """
    kind = one_of("model_type", config.get("model_type"), READERS)
    files = TokenizerFiles(folder, config, source_lang, target_lang)
    found = READERS[kind](files)
    return found if isinstance(found, tuple) else (found, found)


def load_folder(path):
    """Read what `CheckpointTokenizer.save` wrote; a `ValueError` if it is damaged."""
    path = Path(path)
    options = read_large_json(path / "kind.json")
    pieces = read_large_json(path / "pieces.json", list)
    with reading(path):
        kind = one_of("kind", options.pop("kind", None), KINDS)
        models = {name: read_limited(path / name) for name in KINDS[kind].needs}
        special = SpecialTokens(**options.pop("special"))
        lists = {name: options.pop(name) for name in ("marks", *LISTS_OF_IDS)}
        return KINDS[kind](Vocabulary(pieces, special, **lists), models, **options)
