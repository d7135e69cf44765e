"""From two text files to a run directory with a trained model."""

import contextlib
import json
import re
import sys
import warnings
from pathlib import Path

import keras
import numpy as np

from keras_transformer.config import preset
from keras_transformer.data.batches import TokenBatches
from keras_transformer.data.store import TokenStore
from keras_transformer.distribution.distribution import ONE_DEVICE
from keras_transformer.evaluation.callback import BleuCallback
from keras_transformer.runs import run as runs
from keras_transformer.runs.sealed_files import load_arrays, remove_partial
from keras_transformer.text.sentence_format import SentenceFormat
from keras_transformer.training.averaging import average_weights
from keras_transformer.training.callbacks import Limits, RunLog, StopOnNonFiniteLoss
from keras_transformer.training.checkpoints import (
    Checkpoints,
    EpochWeights,
    KeepBest,
    signals_noted,
)
from keras_transformer.training.prepare import TRANSLATED, begin, resumed
from keras_transformer.training.progress import Monitor, Progress
from keras_transformer.training.recipe import compile_for_training

OF_CONNECTIONS = "(?i)peer|connection|heartbeat|unhealthy|collective|nccl|gloo"


def train(
    run,
    source=None,
    target=None,
    valid_source=None,
    valid_target=None,
    model=None,
    data=None,
    training=None,
    overwrite=False,
    resume=False,
    init_from=None,
    distribution=ONE_DEVICE,
):
    """Learn a tokenizer and a model from parallel text; leave a run directory for `Translator.load`.

    After every epoch the model is validated, and saved if it is the best so far; at the
    end the mean of the last epochs' weights is validated too, and saved if it is better
    still. Without validation pairs that mean is what is saved, as in the paper.

    Checkpoints are written as `training` says, and when SIGINT or SIGTERM asks to
    leave. A run that was ended at any moment goes on with `resume=True`, and on the
    same backend ends with the bits of a run that was not ended.

    Args:
        run: the directory to make.
        source, target: training sentences and their translations: paths of plain or
            `.gz` files; or one `.tsv`. Not read again when a run is resumed.
        valid_source, valid_target: held-out pairs, likewise.
        model: the name of a preset, or a `TransformerConfig`; its vocabulary sizes come
            from the tokenizer, and its `share_embeddings` from `data.share_embeddings`.
            "tiny" when absent.
        data: a `DataConfig`.
        training: a `TrainingConfig`.
        overwrite: replace an existing run, once the new one's data are ready.
        resume: go on with `run` where it was interrupted; begin it if there is none.
            What is given beside must be as when it was begun, but for limits (`epochs`,
            `max_updates`, `max_minutes`, `patience`) and what is kept: these hold for
            this call.
        init_from: a run whose tokenizer and weights to begin with, for fine-tuning;
            `model` may change its dropout.
        distribution: what `distribute` gave, for more than one device. All processes
            must see the run's directory; process 0 writes it. A run may be resumed on
            another number of devices: its batches stay the same.

    Returns:
        the trained `Transformer`, with the weights that were saved.

    Raises:
        ValueError: for bad input, before anything of it is kept.
        NonFiniteLoss: at an update whose loss is not finite; the model saved last is
            kept.
        Interrupted: after SIGINT or SIGTERM, once a checkpoint is written.
        ConnectionError: if another process of the training ended.
    """
    run = Path(run)
    model = preset(model) if isinstance(model, str) else model
    given = source, target, valid_source, valid_target
    with named(distribution), contextlib.ExitStack() as held:
        goes_on = bool(
            distribution.all_gather(
                np.array(resume and (run / "config.json").is_file(), "int32")
            )[0]
        )
        with distribution.main_process_first() as is_first:
            if is_first:
                runs.tidy(run)
                if goes_on:
                    runs.verify(run, "data")
                else:
                    begin(
                        run,
                        given,
                        model,
                        data,
                        training,
                        overwrite,
                        init_from,
                        distribution,
                    )
                held.enter_context(runs.locked(run))
        configs = resumed(
            run, model if goes_on else None, data if goes_on else None, training
        )
        distribution.check(configs[0], configs[2])
        return fit(run, *configs, goes_on or init_from is not None, distribution)


@contextlib.contextmanager
def named(distribution):
    """Say of an engine's error about its connections what the user is to know of it."""
    try:
        yield
    except Exception as error:
        if distribution.processes == 1 or not re.search(OF_CONNECTIONS, str(error)):
            raise
        raise ConnectionError(
            f"process {distribution.process} of {distribution.processes} stops because another one ended; --resume "
            f"continues from the newest checkpoint ({type(error).__name__}: {str(error).strip().splitlines()[0]})"
        ) from error


def fit(run, config, data, training, resume, distribution):
    """Train a prepared run, from its start or from its newest checkpoint; give the model that was saved."""
    keras.utils.set_random_seed(training.seed)
    with distribution.scope():
        fit_in_scope(run, config, data, training, resume, distribution)
    return runs.load_model(run)


def fit_in_scope(run, config, data, training, resume, distribution):
    model, writes = compile_for_training(config, training), distribution.process == 0
    batches, held_out = open_batches(run, data, training, distribution)
    progress, bleu = Progress(), None
    if training.monitor == "bleu":
        translated = json.loads((run / TRANSLATED).read_text("utf-8"))
        bleu = BleuCallback(
            *zip(*translated),
            *runs.load_tokenizers(run),
            distribution=distribution,
        )
    monitor = "val_bleu" if bleu else "nats" if held_out is None else "val_nats"
    limits = Limits(
        progress,
        training.max_updates,
        training.max_minutes,
        training.gradient_accumulation,
    )
    finite, log = (
        StopOnNonFiniteLoss(progress, training.gradient_accumulation),
        RunLog(run, progress),
    )
    best = KeepBest(run, progress, monitor, bool(bleu), training.patience, distribution)
    last = EpochWeights(
        run,
        progress,
        training.average_last,
        training.keep_best,
        bool(bleu),
        distribution,
    )
    shown = [bleu] if bleu else []
    shown += [keras.callbacks.TensorBoard(run / "tensorboard", write_graph=False)] * (
        training.tensorboard and writes
    )
    shown += [log] * writes

    def ended():
        return (
            progress.epoch >= training.epochs
            or limits.reached()
            or best.patience_is_over()
        )

    with signals_noted() as received:
        signals = []
        schedule = (training.checkpoint_minutes, training.keep_last)
        checkpoints = Checkpoints(
            run, progress, batches, *schedule, limits, signals, distribution
        )
        if writes:
            tidy(run)
        if resume:
            checkpoints.restore(model)
            if progress.best is not None and not runs.holds_model(run):
                warnings.warn(
                    "model.keras is damaged; the next epoch's will take its place",
                    stacklevel=2,
                )
                progress.best = None
        distribution.must_agree(
            "checkpoints", progress.epoch, progress.batches, progress.best is None
        )
        distribution.prepare(model)
        if ended():
            print(
                "Nothing is left to train: a limit is reached. --epochs, --max-updates and so on move it."
            )
        elif writes:
            log.rewind()
        follow = Monitor(progress, batches, received, signals, distribution)
        options = dict(
            validation_data=held_out,
            shuffle=False,  # the batches shuffle themselves, by seed and epoch
            verbose=0 if not writes else 1 if sys.stdout.isatty() else 2,
            # In the order in which they must see the end of a batch and of an epoch.
            callbacks=[follow, finite, limits, *shown, best, last, checkpoints],
        )
        if progress.batch and not ended():  # the rest of an epoch
            rest = len(batches) - progress.batch
            epochs = dict(initial_epoch=progress.epoch, epochs=progress.epoch + 1)
            model.fit(batches, steps_per_epoch=rest, **epochs, **options)
            batches.first = 0  # before Keras looks at the first batches again
        if not ended():
            model.fit(
                batches, initial_epoch=progress.epoch, epochs=training.epochs, **options
            )

    with distribution.main_process_first():
        pass  # all that process 0 wrote is there
    paths = last.paths()
    distribution.must_agree("epochs' weights", len(paths))
    if len(paths) > 1:
        model.set_weights(
            average_weights(list(load_arrays(path)[0].values()) for path in paths)
        )
        offer_mean(model, held_out, bleu, best, f"mean of the last {len(paths)} epochs")
    with distribution.main_process_first() as is_first:
        if is_first:
            checkpoints.note_best()


def tidy(run):
    """Clear away what killed processes left in a run while they wrote into it."""
    for folder in (run, run / "checkpoints"):
        remove_partial(folder)


def open_batches(run, data, training, distribution):
    """The `TokenBatches` of a run's training pairs and of its validation pairs, None if it has none."""
    store, sentence_format = (
        TokenStore.open(run / "data" / "train"),
        SentenceFormat.of(*runs.load_tokenizers(run)),
    )
    options = dict(shard=distribution.shard, sentence_format=sentence_format)
    steps = training.gradient_accumulation
    batches = TokenBatches(
        store, data.batch_tokens, training.seed, accumulation=steps, **options
    )
    if not (run / "data" / "valid").exists():
        return batches, None
    return batches, TokenBatches(
        TokenStore.open(run / "data" / "valid"),
        data.batch_tokens,
        shuffle=False,
        **options,
    )


def offer_mean(model, held_out, bleu, best, name):
    """Save the model, whose weights are a mean, if it is better than the best epoch, or nothing can tell."""
    best.set_model(model)
    if held_out is None:
        best.save()
        chosen = "saved"
    else:
        if bleu:
            bleu.set_model(model)
        measured = (
            bleu.measure().bleu
            if bleu
            else model.evaluate(held_out, return_dict=True, verbose=0)["nats"]
        )
        chosen = f"{best.monitor} {measured:.4f}, {'saved' if best.save_if_better(measured) else 'not better than what is saved'}"
    if best.distribution.process == 0:
        print(f"{name}: {chosen}")
