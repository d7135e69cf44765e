"""A run as a SavedModel: strings in, strings out."""

import json
from pathlib import Path

from ..config import DecodingConfig, expect
from ..decoding.translator import Translator
from ..runs.child_process import run_under_tensorflow
from ..runs.run import Run
from .comparison import check_batches, compare
from .export_directory import check_format, check_search, new_export

TOLERANCE = 1e-4  # of a score, in nats
# The options of a search that count in it.
SEARCH = (
    "beam",
    "extra_length",
    "length_penalty",
    "max_source_length",
    "no_repeat_ngram",
    "penalty",
    "search",
)
WRITER = "keras_transformer.export.saved_model_writer"
READER = Path(__file__).with_name("saved_model_reader.py")


def saved_model(run, out, overwrite=False, xla=False, **decoding):
    """Write a SavedModel for TensorFlow Serving: from text to text in one graph.

    `out/1/` is the version that TensorFlow Serving loads, with warm-up requests;
    `out/config.json` and `out/manifest.json` say what it is. Batch and lengths are
    dynamic; the search is the one that is fixed here. Text of more than
    `max_source_length` tokens is cut. It computes in float32. A unigram
    model may have two cuts of the same score, such as `. ..` and `.. .` of three dots:
    tensorflow-text's SentencePiece may choose the other one. Signatures:

        serving_default   text (B,) string
                          -> translation (B,) string, score (B,) float32
        n_best            text (B,) string
                          -> translations (B, W) string, scores (B, W),
                             ids (B, W, L) int32

    W is the beam, hypotheses come best first; one that does not exist has a score of
    -inf. Ids are those of the run's tokenizers, END at the end and PAD after it.

    Args:
        run: a run directory, trained on any backend; TensorFlow opens it in a process
            of its own.
        out: directory to make.
        overwrite: replace an export that is there.
        xla: have XLA compile the search of up to 32 texts of up to 64 tokens, once for
            each of nine shapes, for some seconds each: the warm-up requests have them
            all. TensorFlow Serving does so with `--xla_cpu_compilation_enabled`, and
            answers with an error without it.
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
    search = run.search(DecodingConfig(**decoding))
    unused = sorted(set(decoding) - set(SEARCH))
    must = f"be among {', '.join(SEARCH)}"
    expect(not unused, "the search of a SavedModel", must, unused)
    check_search(search, "a SavedModel")
    decoding["max_source_length"] = search.max_source_length
    check_format(run, "saved_model")
    packages = ("tensorflow", "tensorflow-text")
    export = new_export(run, out, overwrite, "saved_model", *packages)
    with export as (aside, about):
        batches = check_batches(run)
        texts = [batch.sources for batch in batches]
        task = [str(run.path), str(aside), decoding, xla, texts]
        run_under_tensorflow("-m", WRITER, task=task)
        check = compare_scores(run, aside / "1", search, batches)
        about |= dict(decoding=search, xla=xla, check=check)
    return check


def compare_scores(run, saved, search, batches):
    translator = Translator(run.model("float32"), *run.tokenizers, search)
    requests = [["serving_default", {"text": batch.sources}] for batch in batches]
    printed = run_under_tensorflow(str(READER), str(saved), task=requests)
    found = iter(json.loads(printed.splitlines()[-1]))

    def answers(batch):
        hypotheses = translator.hypotheses(batch.sources)
        return [best.score for (best,) in hypotheses], next(found)["score"]

    return compare("scores", TOLERANCE, batches, answers)
