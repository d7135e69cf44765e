"""A run as a preset, and a preset as a run."""

import keras
import numpy as np
from keras import ops
from keras_hub.src.utils.preset_utils import load_json

from ..config import DataConfig, DecodingConfig, TrainingConfig, expect
from ..decoding.translator import Translator
from ..export.comparison import check_batches, compare_logits
from ..export.export_directory import check_format, new_export
from ..models.transformer import Transformer
from ..runs.run import Run, RunConfig
from ..runs.sealed_files import new_directory
from .backbone import TransformerBackbone
from .preprocessor import TransformerSeq2SeqLMPreprocessor
from .seq_2_seq_lm import TransformerSeq2SeqLM
from .tokenizer import TransformerTokenizer

SOURCE = "source_tokenizer.json"


def task_of(run):
    """The `TransformerSeq2SeqLM` of a `Run`, with its weights."""
    config = run.config.model
    source, target = run.tokenizers
    width, length = sequence_lengths(run)
    own = None
    if source is not target:
        own = TransformerTokenizer(source, config_file=SOURCE)
    preprocessor = TransformerSeq2SeqLMPreprocessor(
        TransformerTokenizer(target),
        own,
        encoder_sequence_length=width,
        decoder_sequence_length=length,
    )
    backbone = TransformerBackbone(config, dtype="float32")
    copy_weights(run.model("float32"), backbone)
    return TransformerSeq2SeqLM(backbone, preprocessor)


def sequence_lengths(run):
    """What its translator allows at most: source tokens, target tokens with begin."""
    search = run.search(DecodingConfig())
    longest = run.config.model.longest or float("inf")
    width = min(search.longest_source, longest)
    return width, 1 + min(width + search.extra_length, longest)


def copy_weights(source, target):
    for theirs, ours in zip(source.weights, target.weights, strict=True):
        ours.assign(theirs)


def from_run(run, out, overwrite=False):
    """Write a run as a KerasHub preset.

    `keras_hub.models.Seq2SeqLM.from_preset(out)` opens it on every backend once
    `keras_transformer` is imported.

    Args:
        run: a run directory, trained or imported.
        out: directory to make.
        overwrite: replace an export that is there.

    Returns:
        the `Check`: logits of the preset, opened anew, beside the model's; translations
        have been compared as well.

    Raises:
        ValueError: if the tokenizer is FSMT's, the result differs from the run, or
            `out` exists and is not to be overwritten. Nothing is written then.

    Example (needs a run):
        keras_transformer.kerashub.from_run("run", "preset")
    """
    run = Run.open(run)
    check_format(run, "kerashub")
    with new_export(run, out, overwrite, "kerashub", "keras-hub") as (aside, about):
        task_of(run).save_to_preset(aside)
        check = compared(run, opened(aside))
        about["check"] = check
        about["origin"] = run.config.origin
        about["max_length"] = run.config.data.max_length
    return check


def opened(preset):
    """The task of a preset: in float32, whatever the global policy, or quantized."""
    policy = keras.config.dtype_policy()
    # An argument of `from_preset` would be that of quantized layers as well.
    keras.config.set_dtype_policy("float32")
    try:
        return TransformerSeq2SeqLM.from_preset(str(preset))
    except ValueError as error:
        # What was saved in mixed precision KerasHub 0.32 opens with an argument alone.
        if not str(error).startswith("Invalid dtype: mixed_"):
            raise
        return TransformerSeq2SeqLM.from_preset(str(preset), dtype="float32")
    finally:
        keras.config.set_dtype_policy(policy)


def to_run(preset, run, overwrite=False):
    """Make a run of a preset of ours, as it was exported or fine-tuned since.

    The run has the origin and the languages of the one that was exported. A preset that
    was saved since has neither, and is the run's origin itself.

    Args:
        preset: what `from_preset` takes: a folder, or a handle of a hub.
        run: directory to make.
        overwrite: replace a run that is there.

    Returns:
        the `Check`: logits of the run beside the preset's; translations have been
        compared as well.

    Raises:
        ValueError: if the preset is another model's or is quantized, the result differs
            from it, or `run` exists and is not to be overwritten.

    Example (needs a preset):
        keras_transformer.kerashub.to_run("preset", "run")
    """
    task = opened(preset)
    modes = {layer.quantization_mode for layer in task.backbone._flatten_layers()}
    expect(modes == {None}, "preset", "be not quantized", str(preset))
    config = task.backbone.config
    settings = settings_of(task, preset)
    target = task.preprocessor.tokenizer.own
    source = task.preprocessor.source_tokenizer
    tokenizers = (source.own if source else target, target)
    with new_directory(run, overwrite) as aside, keras.device("cpu"):
        model = Transformer(config, dtype="float32")
        copy_weights(task.backbone, model)
        made = Run.begin(aside, settings, tokenizers)
        made.save_model(model)
        # Those of the fine-tuning may be shorter than what the run translates.
        width, length = sequence_lengths(made)
        task.preprocessor.encoder_sequence_length = width
        task.preprocessor.decoder_sequence_length = length
        return compared(Run.open(aside), task)


def settings_of(task, preset):
    """The `RunConfig` of a task, by what the preset says of the run that it was."""
    config = task.backbone.config
    said = load_json(str(preset))
    length = task.preprocessor.encoder_sequence_length
    length = said.get("max_length", min(length, config.longest or length))
    data = DataConfig(
        config.target_vocab_size,
        share_embeddings=config.share_embeddings,
        max_length=length,
    )
    origin = said.get("origin", {"source": str(preset)})
    return RunConfig(config, data, TrainingConfig(), origin, said.get("languages"))


def compared(run, task):
    """The `Check` of logits; a `ValueError` where translations differ."""

    def logits(source_ids, target_ids):
        found = {"encoder_token_ids": source_ids, "decoder_token_ids": target_ids}
        pad = run.config.model.pad_id
        found["encoder_padding_mask"] = source_ids != pad
        found["decoder_padding_mask"] = np.ones_like(target_ids, "bool")
        return ops.convert_to_numpy(task.backbone(found, training=False))

    model = run.model("float32")
    check = compare_logits(run, model, logits)
    translator = Translator(model, *run.tokenizers, run.search())
    texts = [text for batch in check_batches(run) for text in batch.sources]
    ours = translator([*texts, ""])
    theirs = task.generate([*texts, ""])
    expect(theirs == ours, "the preset", "translate as the run does", theirs)
    return check
