"""A run as a smaller one, to hand on: model and tokenizers."""

import dataclasses

from ..config import one_of
from ..runs.archive import quantize
from ..runs.run import Run
from ..runs.sealed_files import new_directory
from .export_directory import check_place
from .to_ctranslate2 import TOLERANCES, compare_scores


def keras(run, out, quantization="float32", overwrite=False):
    """Write a run without data and checkpoints; int8 takes a quarter of the space.

    Commands, `Translator.load` and `evaluate` take it as any other run, and
    `keras.models.load_model` opens its `model.keras`. It is not trained any more when
    it is quantized: embeddings and kernels are then int8, with a scale for each row or
    column, and each input of a kernel is rounded as well.

    Args:
        run: a run directory, trained on any backend, or imported.
        out: directory to make.
        quantization: `"float32"` or `"int8"`.
        overwrite: replace a run that is there.

    Returns:
        the `Check`: log-probabilities of given translations, per token, beside the
        run's own model's.

    Raises:
        ValueError: if the run is quantized already, the result differs from its model,
            or `out` exists and is not to be overwritten. Nothing is written then.
    """
    one_of("quantization", quantization, ("float32", "int8"))
    run = Run.open(run)
    check_place(run, out)
    config = run.config
    model = run.model()
    with new_directory(out, overwrite) as aside:
        if quantization == "int8":
            config = dataclasses.replace(config, quantization=quantization)
            quantize(model, quantization)
        written = Run.begin(aside, config, run.tokenizers)
        written.save_model(model)
        opened = [
            one.generator() if config.is_language_model else one.translator()
            for one in (run, written)
        ]
        check = compare_scores(run, *opened, TOLERANCES[quantization])
    return check
