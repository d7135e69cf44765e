"""A run as a SavedModel: strings in, strings out."""

import json
from pathlib import Path

from ..config import DecodingConfig, refused
from ..decoding.ensemble import check_together, model_of_runs
from ..decoding.translator import Translator
from ..process.child_process import run_under_tensorflow
from ..runs.run import Run
from .comparison import check_batches, compare
from .export_directory import check_format, check_place, check_search, new_export

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
            of its own. Or a list of them, which translate as an `Ensemble`: the search
            takes as long as those of all of them.
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
        ValueError: if the result differs from the model, the runs of a list have
            several tokenizers, or `out` exists and is not to be overwritten. Nothing is
            written then.
        ImportError: if TensorFlow, tensorflow-text or tensorflow-serving-api is not
            installed.
    """
    paths = run if isinstance(run, (list, tuple)) else [run]
    runs = [Run.open(path) for path in paths]
    for own in runs:
        check_format(own, "saved_model")
        check_place(own, out)
    check_together(runs)
    first = runs[0]
    search = first.search(DecodingConfig(**decoding))
    for name in sorted(set(decoding) - set(SEARCH)):
        raise refused(name, "be absent with a SavedModel", decoding[name])
    check_search(search, "a SavedModel")
    decoding["max_source_length"] = search.max_source_length
    export = new_export(
        first, out, overwrite, "saved_model", "tensorflow", "tensorflow-text"
    )
    with export as (aside, about):
        batches = check_batches(first)
        texts = [batch.sources for batch in batches]
        given = [str(own.path) for own in runs]
        task = [given, str(aside), decoding, xla, texts]
        run_under_tensorflow("-m", WRITER, task=task)
        model = model_of_runs(runs, "float32")
        translator = Translator(model, *first.tokenizers, search)
        check = compare_served(translator, aside / "1", batches)
        about |= dict(decoding=search, xla=xla, check=check)
        if len(runs) > 1:
            sizes = [own.config.model.parameters for own in runs]
            about |= dict(models=len(runs), parameters=sum(sizes))
    return check


def compare_served(translator, saved, batches):
    """The `Check` of what the SavedModel in a folder says of the batches' sources."""
    requests = [["serving_default", {"text": batch.sources}] for batch in batches]
    printed = run_under_tensorflow(str(READER), str(saved), task=requests)
    served = iter(json.loads(printed.splitlines()[-1]))

    def answers(batch):
        hypotheses = translator.hypotheses(batch.sources)
        return [best.score for (best,) in hypotheses], next(served)["score"]

    return compare("scores", TOLERANCE, batches, answers)
