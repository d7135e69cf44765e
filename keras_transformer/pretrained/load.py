"""From somebody else's checkpoint to a run directory."""

import dataclasses
from pathlib import Path

import keras
import numpy as np

from ..config import DataConfig, TrainingConfig, expect
from ..layers.positional_embedding import PositionalEmbedding
from ..models.kinds import model_of
from ..process.bars import describe, doing
from ..runs.run import Run, RunConfig
from ..runs.sealed_files import new_directory, read_json
from ..text.special_tokens import SpecialTokens
from .checkpoint import fetch, open_checkpoint, weights_in
from .families import TENSORS, transformer_config
from .names import TABLES
from .t5 import UNUSED
from .tokenizers.files import TokenizerFiles
from .tokenizers.load import load_tokenizers

NAMED = 5  # tensors that an error names
ROUNDED = 1e-2  # most that a sinusoid in half precision may be off


def load(
    source, run, source_lang=None, target_lang=None, revision=None, overwrite=False
):
    """Make a run of a Hugging Face checkpoint, of one of `families.READERS`.

    These are translation models (Marian, FSMT, M2M100, NLLB, mBART), BART and T5, and
    language models (GPT-2, Llama, Qwen2). `Translator.load` or `Generator.load`,
    `evaluate`, `train(init_from=run)` and exports work on it as on any other run, on
    every backend. Nothing in the checkpoint is executed.

    Args:
        source: a folder that holds a checkpoint, or a name on the Hugging Face hub:
            `"Helsinki-NLP/opus-mt-en-de"`.
        run: the directory to make.
        source_lang, target_lang: codes of the languages, for models that translate
            between many.
        revision: of a name on the hub: a branch, tag or commit.
        overwrite: replace an existing run.

    Returns:
        the `Transformer` or `CausalLM`.

    Raises:
        ValueError: if the checkpoint is of another family, tensors are missing, left
            over or of another shape, a file cannot be read, a language is missing or
            unknown, or `run` exists and is not to be overwritten.
        ImportError: if what reads a file of it is not installed.

    Example (needs the hub):
        pretrained.load("Helsinki-NLP/opus-mt-en-de", "run")
        Translator.load("run")("Two young girls are sitting on a bench.")
    """
    place = Path(source).resolve()
    is_outside = Path(run).resolve() not in (place, *place.parents)
    must = f"lie outside of source, {str(source)!r}"
    expect(is_outside or not place.is_dir(), "run", must, str(run))
    with doing(f"fetching {source}"), new_directory(run, overwrite) as aside:
        folder, origin = fetch(source, revision)
        describe(f"reading {source}")
        settings = read_json(folder / "config.json")
        check_size(folder, transformer_config(settings, SpecialTokens()))
        tokenizers = load_tokenizers(folder, settings, source_lang, target_lang)
        names = open_checkpoint(folder).shapes
        config = transformer_config(settings, tokenizers[1].special, names)
        check_sizes(config, tokenizers)
        model = read_model(folder, config)
        most = DataConfig.max_length
        run_config = RunConfig(
            config,
            DataConfig(
                vocab_size=tokenizers[1].vocab_size,
                share_embeddings=getattr(config, "share_embeddings", True),
                max_length=min(most, config.longest or most),
            ),
            TrainingConfig(dtype="float32"),
            origin,
            languages_of(folder, settings, source_lang, target_lang),
        )
        describe(f"writing {run}")
        Run.begin(aside, run_config, tokenizers).save_model(model)
    return model


def check_sizes(config, tokenizers):
    """Raise a `ValueError` unless tokenizers have as many tokens as a config says."""
    sizes = tuple(config.side(side).vocab_size for side in ("source", "target"))
    own_sizes = tuple(tokenizer.vocab_size for tokenizer in tokenizers)
    must = f"have config.json's {sizes} tokens"
    expect(own_sizes == sizes, "the tokenizers", must, own_sizes)


def languages_of(folder, settings, source_lang, target_lang):
    """The codes of the two languages of a checkpoint, or None."""
    files = TokenizerFiles(folder, settings)
    said = [files.get(f"{side}_lang", str) for side in ("source", "target")]
    pair = files.get("langs", list) or settings.get("langs") or said
    pair = [source_lang or pair[0], target_lang or pair[1]]
    return pair if all(pair) else None


def check_size(folder, config):
    """Raise a `ValueError` if a config's weights cannot be in a checkpoint's files."""
    # In half precision. Biases may be missing: of logits, and of Qwen2's outputs.
    unbiased = dataclasses.replace(config, output_bias=False, attention_bias=False)
    least = 2 * unbiased.parameters
    size = sum(path.stat().st_size for path in weights_in(folder))
    must = f"have the {least:,} bytes that config.json's sizes take, or more"
    expect(size >= least, "the files of weights", must, size)


def read_model(folder, config):
    """The model of a checkpoint folder and its configuration; errors are as of `load`.

    They come before anything of the model's size is allocated.
    """
    checkpoint = open_checkpoint(folder)
    family = read_json(folder / "config.json")["model_type"]
    chosen = matched(checkpoint, TENSORS[family](config), config.num_blocks)
    check_tables(checkpoint, config)

    def make():
        return model_of(config, "float32")

    return read_into(make, checkpoint, chosen)


def read_into(make, checkpoint, chosen):
    """The model that a function makes, with weights of a checkpoint.

    `chosen` has the name of each `Tensor`, as `matched` gives them.
    """
    # What fails while Keras makes a model leaves it unable to make another.
    for name in chosen.values():
        checkpoint.read(name)  # and refuse numbers that are not finite
    # What is made in this scope gets its value when the scope ends. Random values,
    # replaced by the checkpoint's, would take more memory; and no argument of a model
    # says how its weights begin, so that Keras's own attribute is set.
    with keras.StatelessScope():
        model = make()
        for tensor, name in chosen.items():
            variable = tensor.variable(model)
            variable._initializer = initializer(checkpoint, tensor, name)
    return model


def initializer(checkpoint, tensor, name):
    """A Keras initializer that reads a weight from a checkpoint."""

    def read(shape, dtype):
        array = tensor.ours(checkpoint.read(name))
        return keras.ops.convert_to_tensor(array.reshape(shape), dtype)

    return read


def check_tables(checkpoint, config):
    """Raise a `ValueError` if a checkpoint's sinusoids are not those computed here."""
    kind = config.positions
    first = config.first_position
    if not kind.startswith("sinusoidal"):
        return
    embedding = PositionalEmbedding(1, config.d_model, kind, first_position=first)
    most = first + config.max_positions
    for name in sorted(TABLES & set(checkpoint.shapes)):
        rows, *width = checkpoint.shapes[name] or (0,)
        is_table = first < rows <= most and width == [config.d_model]
        must = f"have at most {most} rows of {config.d_model} numbers"
        expect(is_table, name, must, checkpoint.shapes[name])
        found = checkpoint.read(name)[first:]
        rows = np.arange(len(found))[None]
        (ours,) = keras.ops.convert_to_numpy(embedding.encode(rows))
        is_same = np.allclose(found, ours, 0, ROUNDED)
        must = f"hold the sinusoids of this family, {kind}"
        expect(is_same, name, must, "other numbers")


def matched(checkpoint, tensors, layers, unused=TABLES | UNUSED):
    """The name in a checkpoint of each `Tensor` of a model.

    The tensors, which may be too many to list, are at least `layers`; `unused` are
    names in a checkpoint that no model needs.

    Raises:
        ValueError: if one is missing, left over, of another shape, or differs under two
            names.
    """
    shapes = checkpoint.shapes
    number = len(shapes)
    expect(number >= layers, "tensors", f"be those of {layers} layers", number)
    names_of = {}
    missing = []
    wrong = []
    for tensor in tensors:
        found = [name for name in tensor.names if name in shapes]
        for name in found:
            if shapes[name] != tensor.shape:
                wrong.append(f"{name} {shapes[name]} instead of {tensor.shape}")
        if found:
            names_of[tensor] = found
        elif not tensor.optional:
            missing.append(tensor.names[0])
    used = {name for names in names_of.values() for name in names}
    problems = {
        "missing": missing,
        "of another shape": wrong,
        "left over": set(shapes) - unused - used,
    }
    for problem, names in problems.items():
        few = sorted(names)[:NAMED]
        expect(not names, "the checkpoint's tensors", f"not be {problem}", few)
    for names in names_of.values():
        check_equal(checkpoint, names)
    return {tensor: names[0] for tensor, names in names_of.items()}


def check_equal(checkpoint, names):
    """Raise a `ValueError` if a checkpoint has several tensors under these names."""
    first, *others = names
    for other in others:
        is_same = np.array_equal(checkpoint.read(first), checkpoint.read(other))
        expect(is_same, other, f"be equal to {first}", "another tensor")
