"""Pairs of commands that make a directory, at one name and at the same time.

`python racing.py RUN CHECKPOINT CORPUS OUT N` prints how each N-th pair ended, as JSON.
The commands do all that they do but for what takes long: nothing is trained, and the
libraries that write exports are not called.
"""

import contextlib
import io
import itertools
import json
import multiprocessing
import shutil
import sys
import types
from pathlib import Path

from small import FLAGS

from keras_transformer.cli import main as cli
from keras_transformer.data import examples
from keras_transformer.evaluation import evaluate
from keras_transformer.export import (
    onnx_loop,
    to_ctranslate2,
    to_huggingface,
    to_onnx,
    to_saved_model,
)
from keras_transformer.runs import sealed_files
from keras_transformer.training import train

FORMATS = ("ctranslate2", "huggingface", "onnx", "saved_model")
FORK = multiprocessing.get_context("fork")
PATIENCE = 300  # seconds


def commands(run, checkpoint, corpus, out):
    """A command line for each way to make a directory, by its name."""
    files = [f"--source={corpus}/train.en", f"--target={corpus}/train.de"]
    found = {
        "train": ["train", out, *files, *FLAGS],
        "demo": ["demo", out],
        "import": ["import", checkpoint, out],
    }
    for name in FORMATS:
        found[name] = ["export", run, out, "--to", name]
    return found


def leave_out_what_takes_long(corpus):
    def nothing(*arguments, **options):
        return None

    def write_graph(*arguments, task):
        Path(task[1], "graph").write_text("a graph")

    def result(*arguments):
        return types.SimpleNamespace(
            sentences_per_second=1.0, scores="", translations=[]
        )

    def transformer(folder):
        return types.SimpleNamespace(logits=None)

    def captions(split):
        return [f"{corpus}/train.en", f"{corpus}/train.de"]

    train.fit = nothing
    evaluate.evaluate = result
    examples.captions = captions
    to_ctranslate2.compare_scores = nothing
    to_saved_model.compare_served = nothing
    to_huggingface.compare_logits = nothing
    to_huggingface.logits_of = nothing
    to_onnx.compare_logits = nothing
    onnx_loop.OnnxTransformer = transformer
    to_onnx.run_under_tensorflow = write_graph
    to_saved_model.run_under_tensorflow = write_graph


def attempt(words, out, barrier, answers):
    """Run a command, which waits for the other one just before it is done."""
    publish = sealed_files.publish

    def publish_together(aside, path, *rest):
        if path == out:
            barrier.wait(PATIENCE)
        publish(aside, path, *rest)

    sealed_files.publish = publish_together
    with contextlib.redirect_stdout(io.StringIO()):
        with contextlib.redirect_stderr(io.StringIO()) as errors:
            status = cli.main(words)
    manifest = (out / "manifest.json").read_text()
    answers.put([status, errors.getvalue(), manifest])


def race(one, other, out):
    barrier = FORK.Barrier(2)
    answers = FORK.SimpleQueue()
    children = []
    for words in (one, other):
        child = FORK.Process(target=attempt, args=(words, out, barrier, answers))
        child.start()
        children.append(child)
    for child in children:
        child.join(PATIENCE)
    found = sorted([answers.get(), answers.get()])
    sealed_files.Manifest(out).verify()
    names = [path.name for path in out.parent.iterdir()]
    manifest = (out / "manifest.json").read_text()
    shutil.rmtree(out)
    return {"answers": found, "names": names, "manifest": manifest}


def main(run, checkpoint, corpus, out, step):
    leave_out_what_takes_long(corpus)
    lines = commands(run, checkpoint, corpus, out)
    found = {}
    pairs = [*itertools.combinations_with_replacement(lines, 2)]
    for one, other in pairs[:: int(step)]:
        found[f"{one} {other}"] = race(lines[one], lines[other], Path(out))
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
