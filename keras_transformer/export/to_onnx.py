"""A run as two ONNX files."""

import shutil
from pathlib import Path

import numpy as np

from keras_transformer.export.child_process import run_process
from keras_transformer.export.export_directory import (
    Check,
    check_sentences,
    new_export,
    write_config,
)
from keras_transformer.runs.extras import needed
from keras_transformer.runs.run import (
    Run,
    save_tokenizers,
)
from keras_transformer.text.sentence_format import SentenceFormat

TOLERANCE = 1e-5  # of a logit, relative to the largest one where that is above 1
LOOP = Path(__file__).with_name("onnx_loop.py")


def onnx(run, out, overwrite=False):
    """Write encoder and decoder as ONNX files with dynamic batch and lengths, the tokenizer, and a loop that runs them.

        encoder.onnx   source_ids (B, S) int32
                       -> cross_keys (K, B, N, S, H), cross_values (K, B, N, S, H)
        decoder.onnx   ids (R,) int32, index () int32, source_ids, cross_keys, cross_values,
                       self_keys (K, R, N, L, H), self_values (K, R, N, L, H)
                       -> logits (R, V), new_self_keys, new_self_values
        translate.py   greedy search over the two: needs onnxruntime, sentencepiece and NumPy, not this package

    K is the number of decoder blocks, L any length, R is B or a multiple of it
    (hypotheses of a sentence). The cache begins as zeros; a call writes position
    `index` of it. translate.py does not have the rules by which imported NLLB, mBART
    and FSMT cut text: its `OnnxTransformer.greedy` takes their ids, `prefix` being the
    target language's.

    Args:
        run: a run directory, trained on any backend; it is opened under TensorFlow in a
            process of its own.
        out: directory to make.
        overwrite: replace an export that is there.

    Returns:
        the `Check`: logits of onnxruntime, position by position, beside the model's for
        all positions at once.

    Raises:
        ValueError: if the result differs from the model, or `out` exists and is not to
            be overwritten. Nothing is written then.
        ImportError: if TensorFlow, tf2onnx or onnxruntime is not installed.
    """
    run = Run.open(run)
    config = run.config.model
    needed("tensorflow", extra="tensorflow")
    needed("tf2onnx", "onnxruntime")
    with new_export(run, out, overwrite) as aside:
        run_process(
            ["-m", "keras_transformer.export.onnx_writer"],
            [{"run": str(run.path), "out": str(aside)}],
        )
        save_tokenizers(aside, *run.tokenizers)
        shutil.copyfile(LOOP, aside / "translate.py")
        check = compare(run, aside)
        write_config(
            aside, "onnx", config, None, check, ["tensorflow", "tf2onnx", "onnxruntime"]
        )
    return check


def compare(run, out):
    from keras import ops

    from keras_transformer.decoding.translator import pad
    from keras_transformer.export.onnx_loop import OnnxTransformer

    model, theirs = run.model("float32"), OnnxTransformer(out)
    source_tokenizer, target_tokenizer = run.tokenizers
    sentence_format, differences, shapes = (
        SentenceFormat.of(source_tokenizer, target_tokenizer),
        [],
        [],
    )
    for sources, targets in check_sentences(run):
        source_ids = [
            sentence_format.source(ids) for ids in source_tokenizer.encode(sources)
        ]
        target_ids = [
            sentence_format.target(sentence_format.labels(ids))
            for ids in target_tokenizer.encode(targets)
        ]
        rows = (source_ids, target_ids)
        source_ids, target_ids = (
            pad(ids, len(ids), max(map(len, ids)), value=sentence_format.pad)
            for ids in rows
        )
        expected = ops.convert_to_numpy(
            model({"source_ids": source_ids, "target_ids": target_ids}, training=False)
        )
        found = theirs.logits(source_ids, target_ids)
        differences.append(
            np.abs(found - expected).max() / max(1.0, np.abs(expected).max())
        )
        shapes.append(source_ids.shape)
    return Check(
        "logits, relative to the largest",
        tuple(shapes),
        float(np.max(differences)),
        TOLERANCE,
    )
