"""The tokenizers of a checkpoint's folder, and of a run that was made of one."""

from pathlib import Path

from ...config import one_of
from ...text.special_tokens import SpecialTokens
from .base import LISTS_OF_IDS, Vocabulary
from .files import TokenizerFiles, read_json, read_limited, reading
from .fsmt import FsmtTokenizer, read_fsmt
from .language_model import LanguageModelTokenizer, read_library
from .library import LibraryTokenizer, read_bart, read_t5
from .marian import MarianTokenizer, read_marian
from .multilingual import MultilingualTokenizer, read_multilingual

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

    Args:
        folder: a local folder with the checkpoint's files.
        config: the content of its config.json.
        source_lang: the language to translate from, of a multilingual checkpoint, such
            as `"en"` (M2M100), `"eng_Latn"` (NLLB) or `"en_XX"` (mBART).
        target_lang: the language to translate into; of a Marian checkpoint too if it
            has `">>xx<<"` tokens.

    Returns:
        two tokenizers, whose ids are the files' own and whose sizes are the model's;
        the same object if both sides are cut alike.

    Raises:
        ValueError: if the model type or a language is unknown, or a file is missing or
            damaged.
        ImportError: if the checkpoint is FSMT's and its extra is not installed.
    """
    kind = one_of("model_type", config.get("model_type"), READERS)
    return READERS[kind](TokenizerFiles(folder, config), source_lang, target_lang)


def load_folder(path):
    """Read the folder that `CheckpointTokenizer.save` wrote.

    Raises:
        ValueError: if a file is missing or damaged.
    """
    path = Path(path)
    options = read_json(path / "kind.json")
    pieces = read_json(path / "pieces.json", list)
    with reading(path):
        kind = one_of("kind", options.pop("kind", None), KINDS)
        models = {name: read_limited(path / name) for name in KINDS[kind].needs}
        special = SpecialTokens(**options.pop("special"))
        lists = {name: options.pop(name) for name in ("marks", *LISTS_OF_IDS)}
        return KINDS[kind](Vocabulary(pieces, special, **lists), models, **options)
