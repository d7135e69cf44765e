"""An export is a directory: the files of an engine, and three files about them.

config.json       format, model, search, check, versions of what wrote it
manifest.json     size and SHA-256 of every file but the card
README.md         the card: what the run knows, and how the export is opened
"""

import contextlib
import dataclasses
import json
from importlib.metadata import version
from pathlib import Path

from ..config import expect
from ..pretrained.causal_lm import families_of
from ..pretrained.families import written_as
from ..process.bars import doing
from ..process.extras import needed
from ..runs.card import CARD, card
from ..runs.sealed_files import (
    new_directory,
    new_file,
    read_json,
    seal,
)

# What each format needs: modules by the extra that has them.
PACKAGES = {
    "saved_model": dict(
        tensorflow=("tensorflow", "tensorflow_text"), serve=("tensorflow_serving",)
    ),
    "ctranslate2": dict(ctranslate2=("ctranslate2",)),
    "onnx": dict(tensorflow=("tensorflow",), serve=("tf2onnx", "onnxruntime")),
    "huggingface": dict(huggingface=("torch", "transformers")),
    "keras": {},
    "kerashub": dict(kerashub=("keras_hub",)),
}
# Exports whose translator puts markup back; the others read text by themselves.
KEEP_MARKUP = ("ctranslate2", "keras")
# The engine whose models a format, or a model type of it, holds, and the tokenizers
# that it takes, where these are not all of ours.
ENGINES = {"ctranslate2": "CTranslate2", "marian": "Marian"}
OTHERS_LACK = dict(
    norm="layer",
    gated=False,
    feed_forward_bias=True,
    num_key_value_heads=None,
    window=None,
)
TOKENIZERS = {
    "saved_model": ("sentencepiece", "marian", "multilingual"),
    "marian": ("sentencepiece", "marian"),
    "bart": ("tokenizers",),
    "t5": ("multilingual", "tokenizers"),
    "kerashub": ("sentencepiece", "marian", "multilingual"),
}
# What a reader is told of a config.json.
TOLD = (
    "format",
    "models",
    "parameters",
    "languages",
    "quantization",
    "decoding",
    "check",
    "made_with",
)


@contextlib.contextmanager
def new_export(run, out, overwrite, format, *packages):
    """Give an empty directory, which becomes `out` when the block ends well.

    Otherwise nothing is left of it. Keras computes on the processor meanwhile: a GPU
    may round the products that an export is compared with.

    Args:
        run: the `Run`.
        out, overwrite: as for `new_directory`.
        format: what `config.json` calls it.
        *packages: names of the distributions that write it, beside Keras.

    Yields:
        the directory's path, and the dict that `config.json` is to hold: the block adds
        the `check`, and what only this format has.
    """
    import keras

    check_place(run, out)
    made_with = {name: version(name) for name in ("keras", *packages)}
    about = dict(format=format, model=run.config.model, made_with=made_with)
    about["languages"] = run.config.languages
    shown = doing(f"exporting to {format}: writing")
    with shown, new_directory(out, overwrite, kind="export") as aside:
        with keras.device("cpu"):
            yield aside, about
        path = aside / "config.json"
        if path.exists():  # the engine's own
            about = read_json(path) | about
        with new_file(path) as file:
            json.dump(about, file, indent=2, default=dataclasses.asdict)
        seal(aside)
        text = card(run, format, told_of(read_json(path)))
        (aside / CARD).write_text(text, "utf-8")


def told_of(about):
    """What a reader is told of the content of an export's config.json."""
    found = {name: about[name] for name in TOLD if name in about}
    if "models" in found:
        text = "whose probabilities are averaged; all else is said of the first's run"
        found["models"] = f"{found['models']}, {text}"
    return found


def check_format(run, format):
    """Raise what says why a run cannot be exported to a format here.

    It is a `ValueError` about model or tokenizer, or an `ImportError`.
    """
    markup = run.tokenizers[0].markup
    must = f"have no markup for {format}, which takes texts without Python"
    expect(markup is None or format in KEEP_MARKUP, "the run", must, markup)
    kind = run.tokenizers[0].kind
    if run.config.is_language_model:
        check_language_model(run, format, kind)
    else:
        model = run.config.model
        kept_as = written_as(model) if format == "huggingface" else format
        if kept_as in ENGINES:
            check_model(model, ENGINES[kept_as])
        known = TOKENIZERS.get(kept_as, (kind,))
        must = f"be of {' or '.join(known)} for {format}"
        expect(kind in known, "the tokenizer", must, kind)
    for extra, modules in PACKAGES[format].items():
        needed(*modules, extra=extra)


def check_language_model(run, format, kind):
    """Raise a `ValueError` if a language model cannot be exported to a format."""
    must = "hold a translation model, or be exported to huggingface or keras"
    known = ("huggingface", "keras")
    expect(format in known, f"run {str(run.path)!r}", must, format)
    if format == "keras":
        return
    families_of(run.config.model)
    must = "be a checkpoint's own for huggingface"
    expect(kind == "language_model", "the tokenizer", must, kind)


def check_place(run, out):
    """Raise a `ValueError` if a run cannot be exported there."""
    own = run.path.resolve()
    place = Path(out).resolve()
    overlaps = own.is_relative_to(place) or place.is_relative_to(own)
    expect(not overlaps, "out", "not be the run, hold it or lie in it", str(out))
    quantization = run.config.quantization
    expect(quantization is None, "run", "hold float weights", quantization)


def check_model(config, engine):
    """Raise a `ValueError` if CTranslate2 or Marian has no such model."""
    size = config.d_model // config.num_heads
    key_dim, value_dim = config.head_sizes
    found = {
        **vars(config),
        "final_norm": config.has_final_norm,
        "key_dim": key_dim,
        "value_dim": value_dim,
    }
    only = {"value_dim": key_dim, **OTHERS_LACK}
    if engine == "Marian":
        only = dict(
            **OTHERS_LACK,
            norm_first=False,
            embedding_norm=False,
            layer_norm_epsilon=1e-5,
            key_dim=size,
            value_dim=size,
            tie_output=config.share_embeddings or config.tie_output,
        )
    if not config.norm_first:
        only["final_norm"] = False
    has_table = config.table != "none"
    must = f"be a position table for {engine}"
    expect(has_table, "positions", must, config.positions)
    for name, value in only.items():
        own = found[name]
        must = f"be {value!r} for {engine} in such a model"
        expect(own == value, name, must, own)


def check_search(config, engine):
    """Raise a `ValueError` if no export has such a search; `engine` is its name."""
    is_search = config.search != "sampling"
    must = f"be 'beam' or 'greedy' with {engine}"
    expect(is_search, "search", must, config.search)
    coverage = config.coverage_penalty
    must = f"be 0 with {engine}, which does not give its attention"
    expect(not coverage, "coverage_penalty", must, coverage)
