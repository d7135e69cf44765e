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
from keras_transformer.models.transformer import Transformer
from keras_transformer.runs.run import Run
from keras_transformer.runs.sealed_files import load_arrays, remove_partial_beside
from keras_transformer.text.sentence_format import SentenceFormat
from keras_transformer.training.averaging import average_weights
from keras_transformer.training.callbacks import (
    KeepBest,
    RunLog,
    StopOnNonFiniteLoss,
    ordered,
)
from keras_transformer.training.checkpoints import Checkpoints, EpochWeights
from keras_transformer.training.prepare import TRANSLATED, begin, resumed
from keras_transformer.training.progress import Monitor, Session, signals_noted
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
    """Learn a tokenizer and a model from parallel text; leave a run directory.

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
    path = Path(run)
    if isinstance(model, str):
        model = preset(model)
    files = (source, target, valid_source, valid_target)
    with named(distribution), contextlib.ExitStack() as held:
        goes_on = resume and (path / "config.json").is_file()
        # As process 0 sees it: the others may see what it makes meanwhile.
        goes_on = bool(distribution.all_gather(np.array(goes_on, "int32"))[0])
        with distribution.main_process_first() as is_first:
            if is_first:
                remove_partial_beside(path)
                if goes_on:
                    Run.open(path).verify("data")
                else:
                    settings = (model, data, training)
                    begin(path, files, *settings, overwrite, init_from, distribution)
                held.enter_context(Run.open(path).locked())
        opened = Run.open(path)
        if goes_on:
            training = resumed(opened, model, data, training)
        else:
            training = opened.config.training
        distribution.check(opened.config.model, training)
        return fit(opened, training, goes_on or init_from is not None, distribution)


@contextlib.contextmanager
def named(distribution):
    """Say in an engine's error about its connections what it means for the user."""
    try:
        yield
    except Exception as error:
        if distribution.processes == 1 or not re.search(OF_CONNECTIONS, str(error)):
            raise
        reason = str(error).strip().splitlines()[0]
        raise ConnectionError(
            f"process {distribution.process} of {distribution.processes} stops because "
            "another one ended; --resume continues from the newest checkpoint "
            f"({type(error).__name__}: {reason})"
        ) from error


def fit(run, training, goes_on, distribution):
    """Train a prepared run, from its start or from its newest checkpoint.

    Returns:
        the model that was saved.
    """
    keras.utils.set_random_seed(training.seed)
    with distribution.scope():
        model = Transformer(run.config.model, dtype=training.dtype)
        # The weights of the batches make a mean of the sum, on any number of devices.
        compile_for_training(model, training, loss_reduction="sum")
        batches, held_out = open_batches(run, training, distribution)
        session = Session(run, training, distribution, batches, held_out)
        checkpoints = Checkpoints(session)
        bleu = bleu_callback(session)
        with signals_noted(session.received):
            go_to_newest_checkpoint(model, session, checkpoints, goes_on)
            distribution.prepare(model)
            fit_epochs(model, session, callbacks_of(session, checkpoints, bleu))
        save_mean(model, session, bleu)
        with distribution.main_process_first() as is_first:
            if is_first:
                checkpoints.note_best()
    return run.model()


def open_batches(run, training, distribution):
    """The `TokenBatches` of a run's training pairs and of its validation pairs.

    The latter are None if it has none.
    """
    size = run.config.data.batch_tokens
    options = dict(
        shard=distribution.shard, sentence_format=SentenceFormat.of(*run.tokenizers)
    )
    batches = TokenBatches(
        TokenStore.open(run.path / "data" / "train"),
        size,
        training.seed,
        accumulation=training.gradient_accumulation,
        **options,
    )
    place = run.path / "data" / "valid"
    if not place.exists():
        return batches, None
    held_out = TokenBatches(TokenStore.open(place), size, shuffle=False, **options)
    return batches, held_out


def bleu_callback(session):
    """What measures BLEU after each epoch, if that decides which one is the best."""
    if session.training.monitor != "bleu":
        return None
    pairs = json.loads((session.run.path / TRANSLATED).read_text("utf-8"))
    tokenizers = session.run.tokenizers
    return BleuCallback(*zip(*pairs), *tokenizers, distribution=session.distribution)


def callbacks_of(session, checkpoints, bleu):
    """All callbacks of a training."""
    kinds = [Monitor, StopOnNonFiniteLoss, KeepBest, EpochWeights]
    if session.writes:
        kinds.append(RunLog)
    found = [checkpoints, *(kind(session) for kind in kinds)]
    if bleu is not None:
        found.append(bleu)
    if session.writes and session.training.tensorboard:
        folder = session.run.path / "tensorboard"
        found.append(keras.callbacks.TensorBoard(folder, write_graph=False))
    return ordered(found)


def go_to_newest_checkpoint(model, session, checkpoints, goes_on):
    """Bring a run that goes on to where it was; make its files ready in any case."""
    if session.writes:
        session.run.remove_partial()
    if goes_on:
        checkpoints.restore(model)
        if session.progress.best is not None and not session.run.holds_model():
            warnings.warn(
                "model.keras is damaged; the next epoch's will take its place",
                stacklevel=2,
            )
            session.progress.best = None
    progress = session.progress
    session.distribution.must_agree(
        "checkpoints", progress.epoch, progress.batches, progress.best is None
    )
    if session.is_done():
        print(
            "Nothing is left to train: a limit is reached. --epochs, --max-updates and "
            "so on move it."
        )
    elif session.writes:
        RunLog(session).rewind()


def fit_epochs(model, session, callbacks):
    """Fit the rest of an epoch, if one was begun, and then all others."""
    verbose = 0
    if session.writes:
        verbose = 1 if sys.stdout.isatty() else 2
    options = dict(
        validation_data=session.held_out,
        shuffle=False,  # the batches shuffle themselves, by seed and epoch
        verbose=verbose,
        callbacks=callbacks,
    )
    batches = session.batches
    progress = session.progress
    if progress.batch and not session.is_done():
        model.fit(
            batches,
            steps_per_epoch=len(batches) - progress.batch,
            initial_epoch=progress.epoch,
            epochs=progress.epoch + 1,
            **options,
        )
        batches.first = 0  # before Keras looks at the first batches again
    if not session.is_done():
        model.fit(
            batches,
            initial_epoch=progress.epoch,
            epochs=session.training.epochs,
            **options,
        )


def save_mean(model, session, bleu):
    """Save the mean of the last epochs' weights if it is better than the best epoch.

    Without validation pairs nothing can tell, and it is saved.
    """
    distribution = session.distribution
    with distribution.main_process_first():
        pass  # all that process 0 wrote is there
    paths = EpochWeights(session).paths()
    distribution.must_agree("epochs' weights", len(paths))
    if len(paths) > 1:
        mean = average_weights(list(load_arrays(path)[0].values()) for path in paths)
        model.set_weights(mean)
        said = offer_mean(model, session, bleu)
        if session.writes:
            print(f"mean of the last {len(paths)} epochs: {said}")


def offer_mean(model, session, bleu):
    """Measure a model, save it if it is the best, and give what to say of that."""
    best = KeepBest(session)
    best.set_model(model)
    if session.held_out is None:
        best.save()
        return "saved"
    if bleu is not None:
        bleu.set_model(model)
        score = bleu.measure().bleu
    else:
        score = model.evaluate(session.held_out, return_dict=True, verbose=0)["nats"]
    is_saved = best.save_if_better(float(score))
    outcome = "saved" if is_saved else "not better than what is saved"
    return f"{session.monitor} {score:.4f}, {outcome}"
