"""Text files -> the tokenizer and the token stores of a language model's run."""

import dataclasses

from ..config import DataConfig, FilterConfig, TrainingConfig, expect, flag_fields
from ..data.documents import DocumentStore, read_documents
from ..process.bars import doing, say
from ..text.lines import count_lines
from ..text.tokenizer import Tokenizer

# Fields of a `DataConfig` that are for pairs alone.
OF_PAIRS = (
    "max_ratio",
    "share_embeddings",
    "valid_size",
    "markup",
    "markup_pattern",
    *flag_fields(FilterConfig),
)
# Of a `TrainingConfig`, likewise.
TRAINING_OF_PAIRS = ("monitor", "bpe_dropout", "word_dropout")


def check_text(train, valid, data, training):
    """Raise a `ValueError` for files or settings that are not for a language model.

    The texts are lists of paths. Each argument may be None.
    """
    for paths in filter(None, (train, valid)):
        next(read_documents(paths), None)  # what cannot be read is refused now
    for name in OF_PAIRS:
        plain = getattr(DataConfig(), name)
        given = plain if data is None else getattr(data, name)
        expect(given == plain, name, "be absent with text", given)
    for name in TRAINING_OF_PAIRS:
        plain = getattr(TrainingConfig(), name)
        given = plain if training is None else getattr(training, name)
        expect(given == plain, name, f"be {plain!r} with text", given)


def prepare_text(folder, train, valid, config, begun=None):
    """Fill a folder with the stores of text files; the tokenizer, the `RunConfig`.

    The texts are paths to train on, and to validate with or None. `begun` is the `Run`
    whose tokenizer to begin with.
    """
    data = config.data
    texts = {"train": train, "valid": valid}
    counts = {
        name: sum(map(count_lines, paths)) for name, paths in texts.items() if paths
    }
    if begun:
        tokenizer = begun.tokenizers[0]
    else:
        what = f"learning the vocabulary of {counts['train']:,} texts"
        with doing(what, unit="read"):
            tokenizer = Tokenizer.train(
                read_documents(train),
                data.vocab_size,
                data.tokenizer,
                data.byte_fallback,
            )
    for name, count in counts.items():
        place = folder / "data" / name
        with doing(f"cutting {name} into tokens", count, "texts"):
            documents = read_documents(texts[name])
            store = DocumentStore.build(place, documents, tokenizer)
        say(f"{name}: {store.report}")
    model = dataclasses.replace(
        config.model,
        vocab_size=tokenizer.vocab_size,
        **tokenizer.special.fields,
        separate_documents=True,
    )
    origin = begun.config.origin if begun else None
    config = dataclasses.replace(config, model=model, origin=origin)
    return (tokenizer, tokenizer), config
