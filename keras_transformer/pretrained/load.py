"""From somebody else's checkpoint to a run directory."""

from pathlib import Path

import keras
import numpy as np

from keras_transformer.config import DataConfig, TrainingConfig
from keras_transformer.layers.positional_embedding import PositionalEmbedding
from keras_transformer.models.transformer import Transformer
from keras_transformer.pretrained.checkpoint import open_checkpoint, read_config
from keras_transformer.pretrained.families import transformer_config
from keras_transformer.pretrained.hub import fetch
from keras_transformer.pretrained.names import TABLES, tensors
from keras_transformer.pretrained.save import save
from keras_transformer.pretrained.tokenizers.load import load_tokenizers
from keras_transformer.runs.run import Run, RunConfig
from keras_transformer.runs.sealed_files import new_directory
from keras_transformer.text.sentence_format import SentenceFormat

NAMED = 5  # tensors that an error names
ROUNDED = 1e-2  # most that a sinusoid in half precision may be off


def load(
    source, run, source_lang=None, target_lang=None, revision=None, overwrite=False
):
    """Make a run directory of a Hugging Face checkpoint of Marian, FSMT, M2M100, NLLB or mBART.

    `Translator.load`, `evaluate`, `train(init_from=run)` and exports work on it as on
    any other run, on every backend. Nothing in the checkpoint is executed.

    Args:
        source: a folder that holds a checkpoint, or a name on the Hugging Face hub:
            `"Helsinki-NLP/opus-mt-en-de"`.
        run: the directory to make.
        source_lang, target_lang: codes of the languages, for models that translate
            between many.
        revision: of a name on the hub: a branch, tag or commit.
        overwrite: replace an existing run.

    Returns:
        the `Transformer`.

    Raises:
        ValueError: if the checkpoint is of another family, tensors are missing, left
            over or of another shape, a file cannot be read, a language is missing or
            unknown, or `run` exists and is not to be overwritten.
        ImportError: if what reads a file of it is not installed.

    Example (needs the hub):
        pretrained.load("Helsinki-NLP/opus-mt-en-de", "run")
        Translator.load("run")("Two young girls are sitting on a bench.")
    """
    if Path(source).is_dir() and Path(run).resolve() in (
        Path(source).resolve(),
        *Path(source).resolve().parents,
    ):
        raise ValueError(
            f"run must lie outside of source, {str(source)!r}; received {str(run)!r}"
        )
    with new_directory(run, overwrite) as aside:
        folder, origin = fetch(source, revision)
        settings = read_config(folder)
        tokenizers = load_tokenizers(folder, settings, source_lang, target_lang)
        model = read_model(folder, settings, SentenceFormat.of(*tokenizers))
        check_vocabularies(model.config, tokenizers)
        sizes = dict(
            vocab_size=model.config.target_vocab_size,
            share_embeddings=model.config.share_embeddings,
        )
        training = TrainingConfig(dtype="float32")
        config = RunConfig(model.config, DataConfig(**sizes), training, origin)
        Run.begin(aside, config, tokenizers)
        save(model, aside)
    return model


def check_vocabularies(config, tokenizers):
    expected = (config.source_vocab_size, config.target_vocab_size)
    if (found := tuple(tokenizer.vocab_size for tokenizer in tokenizers)) != expected:
        raise ValueError(
            f"source must have tokenizers of its config.json's {expected} tokens; received {found}"
        )


def read_model(folder, settings, sentence_format):
    """The `Transformer` of a checkpoint folder.

    Args:
        folder: where the tensors are.
        settings: the content of its `config.json`.
        sentence_format: the `SentenceFormat` of its tokenizers.

    Raises:
        ValueError: as `load`; before anything of the model's size is allocated.
        ImportError: as `load`.
    """
    config, checkpoint = (
        transformer_config(settings, sentence_format),
        open_checkpoint(folder),
    )
    chosen = matched(checkpoint, config)
    # Each variable is made with its value: making them first and replacing them then
    # would take twice the memory.
    with keras.StatelessScope():  # what is made in it gets its value when it ends
        model = Transformer(config, dtype="float32")
        for tensor, name in chosen:
            tensor.variable(model)._initializer = initializer(checkpoint, tensor, name)
    return model


def initializer(checkpoint, tensor, name):
    def read(shape, dtype):
        return keras.ops.convert_to_tensor(tensor.ours(checkpoint.read(name)), dtype)

    return read


def check_tables(checkpoint, config):
    """Raise a `ValueError` if sinusoids of a checkpoint, which are computed here, are others than the config's."""
    if config.positions == "learned":
        return
    embedding = PositionalEmbedding(
        1, config.d_model, config.positions, first_position=config.first_position
    )
    for name in sorted(TABLES & set(checkpoint.shapes)):
        found = checkpoint.read(name)[config.first_position :]
        expected = keras.ops.convert_to_numpy(
            embedding.encode(np.arange(len(found))[None])
        )[0]
        if (
            found.shape != expected.shape
            or np.abs(found - expected).max(initial=0.0) > ROUNDED
        ):
            raise ValueError(
                f"{name} must hold the sinusoids of this family, {config.positions}; received other numbers"
            )


def matched(checkpoint, config):
    """Pairs of the `Tensor`s of a config and their names in a checkpoint, where nothing is missing or left over."""
    blocks = config.encoder_layers + config.decoder_layers
    if blocks > len(checkpoint.shapes):  # millions of names would not be listed
        raise ValueError(
            f"tensors of the checkpoint are missing: {len(checkpoint.shapes)} for {blocks} layers"
        )
    left, missing, wrong, chosen = set(checkpoint.shapes), [], [], []
    for tensor in tensors(config):
        present = [name for name in tensor.names if name in checkpoint.shapes]
        left -= {*present}
        if not present:
            missing.append(tensor.names[0])
        for name in present:
            if checkpoint.shapes[name] != tensor.shape:
                wrong.append(
                    f"{name} {checkpoint.shapes[name]} instead of {tensor.shape}"
                )
        chosen += [(tensor, name) for name in present[:1]]
    check_tables(checkpoint, config)
    left -= TABLES
    for names, what in (
        (missing, "are missing"),
        (wrong, "have another shape"),
        (left, "are not used"),
    ):
        if names:
            shown = ", ".join(sorted(names)[:NAMED]) + (
                ", ..." if len(names) > NAMED else ""
            )
            raise ValueError(
                f"tensors of the checkpoint {what}: {shown} ({len(names)} in all)"
            )
    for tensor, name in chosen:
        for other in tensor.names:
            is_other = other in checkpoint.shapes and other != name
            if is_other and not np.array_equal(
                checkpoint.read(name), checkpoint.read(other)
            ):
                raise ValueError(
                    f"tensors of the checkpoint must be equal as config.json says: {name} and {other}"
                )
    return chosen
