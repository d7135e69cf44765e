"""A run as a SavedModel: strings in, strings out."""

import dataclasses
from pathlib import Path

import numpy as np

from keras_transformer.config import DecodingConfig
from keras_transformer.export.child_process import run_process
from keras_transformer.export.export_directory import (
    Check,
    check_sentences,
    new_export,
    write_config,
)
from keras_transformer.runs.extras import needed
from keras_transformer.runs.run import Run

TOLERANCE = 1e-4  # of a score, in nats
# Distributions and modules.
PACKAGES = {"tensorflow": "tensorflow", "tensorflow-text": "tensorflow_text"}
# All that counts in it.
SEARCH = {
    "search",
    "beam",
    "length_penalty",
    "penalty",
    "extra_length",
    "max_source_length",
}
READER = Path(__file__).with_name("saved_model_reader.py")


def saved_model(run, out, overwrite=False, **decoding):
    """Write a SavedModel for TensorFlow Serving: tokenizer, encoder, search with a cache and detokenizer in one graph.

    `out/1/` is the version that TensorFlow Serving loads, with warm-up requests;
    `out/config.json` and `out/manifest.json` say what it is. Batch and lengths are
    dynamic; the search is the one that is fixed here. Text of more than
    `max_source_length` tokens is cut, ids are not. It computes in float32. Of two cuts
    that have the same score in a unigram model, such as `. ..` and `.. .` of three
    dots, tensorflow-text's SentencePiece may choose the other one. Signatures:

        serving_default   text (B,) string -> translation (B,) string, score (B,) float32
        n_best            text (B,) string -> translations (B, W) string, scores (B, W), ids (B, W, L) int32
        ids               source_ids (B, S) int32 -> ids (B, W, L), scores (B, W)

    W is the beam, hypotheses come best first; one that does not exist has a score of
    -inf. Ids are those of the run's tokenizers, END at the end and PAD after it;
    source_ids, too.

    Args:
        run: a run directory, trained on any backend; it is opened under TensorFlow in a
            process of its own.
        out: directory to make.
        overwrite: replace an export that is there.
        **decoding: the fields of `DecodingConfig` that say how to search; sampling is
            not offered.

    Returns:
        the `Check`: scores of translations, as a fresh process with TensorFlow alone
        gives them, beside `Translator`'s.

    Raises:
        ValueError: if the result differs from the model, or `out` exists and is not to
            be overwritten. Nothing is written then.
        ImportError: if TensorFlow, tensorflow-text or tensorflow-serving-api is not
            installed.
    """
    run = Run.open(run)
    config, search = run.config.model, DecodingConfig(**decoding)
    if unused := set(decoding) - SEARCH:
        raise ValueError(
            f"a SavedModel takes only {', '.join(sorted(SEARCH))}; received {', '.join(sorted(unused))}"
        )
    if search.search == "sampling":
        raise ValueError(
            "search must be 'beam' or 'greedy' in a SavedModel; received 'sampling'"
        )
    needed(*PACKAGES.values(), extra="tensorflow")
    needed("tensorflow_serving")
    with new_export(run, out, overwrite) as aside:
        sources = [texts for texts, _ in check_sentences(run)]
        task = {
            "run": str(run.path),
            "out": str(aside),
            "search": dataclasses.asdict(search),
            "warm_up": sources,
        }
        run_process(["-m", "keras_transformer.export.saved_model_writer"], [task])
        check = compare(run, aside, search, sources)
        write_config(aside, "saved_model", config, search, check, PACKAGES)
    return check


def compare(run, out, search, sources):
    from keras_transformer.decoding.translator import Translator

    tokenizers = run.tokenizers
    translator = Translator(
        run.model("float32"),
        *tokenizers,
        dataclasses.replace(search, batch_size=8, n_best=1),
    )
    requests = [
        {"signature": "serving_default", "inputs": {"text": texts}} for texts in sources
    ]
    differences, shapes = [], []
    for texts, answer in zip(
        sources, run_process([str(READER), str(out / "1")], requests), strict=True
    ):
        for (best,), score in zip(
            translator.hypotheses(texts), answer["score"], strict=True
        ):
            differences.append(abs(best.score - score))
        longest = (
            max(map(len, tokenizers[0].encode(texts)))
            + translator.sentence_format.around_source
        )
        shapes.append((len(texts), longest))
    return Check("scores", tuple(shapes), float(np.max(differences)), TOLERANCE)
