"""What may be chosen when a model is trained."""

import dataclasses

from .stack import StackConfig

# What `distribute` can be asked for.
DISTRIBUTIONS = ("auto", "none", "data", "model")
# What a run takes from its tokenizers.
VOCABULARY_SIZES = ("source_vocab_size", "target_vocab_size", "share_embeddings")
IDS = ("pad_id", "begin_id", "end_id")
FROM_TOKENIZER = (*VOCABULARY_SIZES, *IDS, "vocab_size", "separate_documents")
# Fields that are not chosen when a model is trained.
NO_FLAGS = (*FROM_TOKENIZER, "output_bias")


def flag_fields(config):
    """The fields of a config, or of its class, that may be chosen, by their names."""
    kind = config if isinstance(config, type) else type(config)
    fields = {field.name: field for field in dataclasses.fields(config)}
    if issubclass(kind, StackConfig):
        for name in NO_FLAGS:
            fields.pop(name, None)
    return fields
