"""A run as two ONNX files."""

import shutil
from pathlib import Path

from ..process.child_process import run_under_tensorflow
from ..runs.run import Run, save_tokenizers
from ..text.normalization import BLANK
from ..text.sentence_format import SentenceFormat
from .comparison import compare_logits
from .export_directory import check_format, new_export

LOOP = Path(__file__).with_name("onnx_loop.py")
WRITER = "keras_transformer.export.onnx_writer"


def onnx(run, out, overwrite=False):
    """Write encoder and decoder as ONNX files, tokenizers, and a loop that runs them.

        encoder.onnx   source_ids (B, S) int32
                       -> cross_keys (K, B, G, S, H), cross_values (K, B, G, S, H)
        decoder.onnx   ids (R,) int32, index () int32, source_ids, cross_keys,
                       cross_values, self_keys (K, R, G, L, H),
                       self_values (K, R, G, L, H)
                       -> logits (R, V), new_self_keys, new_self_values
        translate.py   greedy search over the two; it needs onnxruntime,
                       sentencepiece and NumPy, not this package

    K is the number of decoder blocks, G that of heads of keys and values, L any length,
    R is B or a multiple of it (hypotheses of a sentence); batch and lengths are
    dynamic. The cache begins as zeros; a call writes position `index` of it. With an
    imported model translate.py takes and gives ids: it does not have the rules by which
    such a model cuts text. Sources are cut where the run's translator cuts them.

    Args:
        run: a run directory, trained on any backend; TensorFlow opens it in a process
            of its own.
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
    check_format(run, "onnx")
    from .onnx_loop import OnnxTransformer

    export = new_export(
        run, out, overwrite, "onnx", "tensorflow", "tf2onnx", "onnxruntime"
    )
    with export as (aside, about):
        run_under_tensorflow("-m", WRITER, task=[str(run.path), str(aside)])
        save_tokenizers(aside, *run.tokenizers)
        shutil.copyfile(LOOP, aside / "translate.py")
        model = run.model("float32")
        check = compare_logits(run, model, OnnxTransformer(aside).logits)
        about["check"] = check
        about["sentence_format"] = SentenceFormat.of(*run.tokenizers)
        about["positions"] = model.config.longest
        about["longest_source"] = run.search().longest_source
        about["blank"] = BLANK
    return check
