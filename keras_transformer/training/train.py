"""From two text files to a run directory with a trained model."""

import contextlib
import json
import re
import warnings
from pathlib import Path

import keras

from ..config import CausalLMConfig, TransformerConfig, expect, expect_path
from ..distribution.distribution import ONE_DEVICE
from ..evaluation.callback import BleuCallback
from ..process.bars import doing, say
from ..runs.run import Run
from ..runs.sealed_files import load_arrays, locked
from ..runs.work_folder import remove_partial
from .arguments import corpora_given, settings_given
from .averaging import AveragedWeights, LearningWeights, average_weights
from .checkpoints import Checkpoints, EpochWeights, KeepBest, RunLog
from .open_batches import open_batches
from .prepare import TRANSLATED, begin, new_model, resumed
from .progress import Session, inner_optimizer, signals_noted
from .report import EpochLines, report, why_over

CONNECTION_ERRORS = "(?i)peer|connection|heartbeat|unhealthy|collective|nccl|gloo"


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
    pairs=None,
    valid_pairs=None,
    text=None,
    valid_text=None,
):
    """Learn a tokenizer and a model from parallel text; leave a run directory.

    From `text` instead of `source` a language model is learned.

    After every epoch the model is validated, and saved if it is the best so far; at the
    end the mean of the last epochs' weights is validated too, and saved if it is better
    still. Without validation pairs that mean is saved in any case, as in the paper, but
    of no more than a quarter of the epochs.

    Checkpoints are written as `training` says, and when SIGINT or SIGTERM asks to
    leave. A run that was ended at any moment goes on with `resume=True`, and on the
    same backend ends with the bits of a run that was not ended.

    Args:
        run: the directory to make.
        source, target: training sentences and their translations: paths of files of
            lines, plain or packed. Not read again when a run is resumed.
        valid_source, valid_target: held-out pairs, likewise. Without any, some of the
            training's are held out, see `DataConfig`'s `valid_size`, and kept in the
            run; no source sentence is on both sides.
        model: the name of a preset, or a `TransformerConfig`, or with `text` a
            `CausalLMConfig`; its vocabulary sizes come from the tokenizer, and its
            `share_embeddings` from `data.share_embeddings`; those of a run that begins
            with another's (`init_from`) are its own.
        data: a `DataConfig`.
        training: a `TrainingConfig`. What is absent of these three is fitted to the
            corpus, see `fitted_settings`, and printed.
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
        pairs, valid_pairs: instead of source and target, what holds both sides: all
            that `read_pairs` takes, or what it or `clean_pairs` gave. The filters of
            `data` drop what is clearly wrong, and print what that was.
        text: text of a language model, plain or packed: a path, or a list of paths.
            Each line is a document; of a longer one than `data.max_length` tokens the
            model sees that many at once.
        valid_text: held-out text, likewise.

    Returns:
        the trained `Transformer` or `CausalLM`, with the weights that were saved.

    Raises:
        ValueError: for bad input, before anything of it is kept.
        NonFiniteLoss: at an update whose loss is not finite; the model saved last is
            kept.
        Interrupted: after SIGINT or SIGTERM, once a checkpoint is written.
        ConnectionError: if another process of the training ended.
    """
    expect_path("run", run)
    path = Path(run)
    goes_on = resume and (path / "config.json").is_file()
    is_text = text is not None
    if goes_on:
        is_text = Run.open(path).config.is_language_model
    kind = CausalLMConfig if is_text else TransformerConfig
    settings = settings_given(kind, model, data, training)
    corpus, valid = corpora_given(
        is_text,
        text,
        valid_text,
        pairs=pairs,
        source=source,
        target=target,
        valid_pairs=valid_pairs,
        valid_source=valid_source,
        valid_target=valid_target,
    )
    explains = explaining_connections(distribution)
    prepares = doing("preparing the training", shown=distribution.process == 0)
    with explains, prepares, contextlib.ExitStack() as held:
        with distribution.main_process_first() as is_first:
            if is_first:
                if goes_on:
                    go_on(path, held)
                else:
                    begin(
                        path,
                        kind,
                        corpus,
                        valid,
                        *settings,
                        overwrite=overwrite,
                        init_from=init_from,
                        distribution=distribution,
                        held=held,
                    )
        opened = Run.open(path)
        training = resumed(opened, *settings)
        distribution.check(opened.config.model, training)
        return fit(opened, training, distribution)


def go_on(path, held):
    """Check and lock a run that is there, which the `ExitStack` `held` holds then."""
    remove_partial(path.resolve().parent)
    manifest = Run.open(path).manifest
    held.enter_context(locked(path))
    has_data = any(name.startswith("data/") for name in manifest.sums)
    must = "hold the data of its training, to be resumed"
    expect(has_data, f"run {str(path)!r}", must, "one that was written to hand on")
    manifest.verify("data")


@contextlib.contextmanager
def explaining_connections(distribution):
    """Say in an engine's error about its connections what it means for the user."""
    try:
        yield
    except Exception as error:
        is_alone = distribution.processes == 1
        if is_alone or not re.search(CONNECTION_ERRORS, str(error)):
            raise
        raise ConnectionError(
            f"process {distribution.process} of {distribution.processes} stops because "
            "another one ended; --resume continues from the newest checkpoint "
            f"({type(error).__name__}: {str(error).strip().splitlines()[0]})"
        ) from error


def fit(run, training, distribution):
    """Train a prepared run from its newest checkpoint, if any; the model as saved."""
    with distribution.scope():
        model = new_model(run, training)
        batches, held_out = open_batches(run, training, distribution)
        inner_optimizer(model).epoch_batches = len(batches)
        session = Session(run, training, distribution, batches, held_out)
        bleu = None
        if training.monitor == "bleu":
            pairs = json.loads((run.path / TRANSLATED).read_text("utf-8"))
            sources, references = zip(*pairs)
            bleu = BleuCallback(
                sources,
                references,
                *run.tokenizers,
                run.search(),
                distribution=distribution,
                bleu_tokenize=training.bleu_tokenize,
            )
        callbacks = callbacks_of(session, bleu)
        checkpoints = callbacks[-1]
        with signals_noted(session.received):
            go_to_newest_checkpoint(model, session, checkpoints)
            distribution.prepare(model)
            fit_epochs(model, session, callbacks)
        with doing("taking the mean of the last epochs", shown=session.writes):
            save_mean(model, session, bleu)
        with distribution.main_process_first() as is_first:
            if is_first:
                checkpoints.note_best()
    with doing("opening the best model", shown=session.writes):
        model = run.model()
    if session.writes:
        report(session, model)
    return model


def callbacks_of(session, bleu):
    """All callbacks, each after those on which it depends: Keras keeps this order."""
    board = None
    if session.writes and session.training.tensorboard:
        folder = session.run.path / "tensorboard"
        board = keras.callbacks.TensorBoard(folder, write_graph=False)
    averaged = None
    learning = None
    if session.training.ema_momentum is not None:
        averaged = AveragedWeights(session)
        learning = LearningWeights(session)
    ordered = (
        # Counts for all others, and raises before a broken model is written.
        session,
        averaged,
        # Adds to the logs that the next ones read.
        bleu,
        board,
        RunLog(session, bleu),
        # Notes the score of the epoch.
        KeepBest(session),
        EpochLines(session),
        # Keeps the epochs of the best scores.
        EpochWeights(session),
        learning,
        # Writes down what all others have noted.
        Checkpoints(session),
    )
    return [callback for callback in ordered if callback is not None]


def go_to_newest_checkpoint(model, session, checkpoints):
    """Bring a run that goes on to where it was; make its files ready in any case."""
    if session.writes:
        session.folder.mkdir(exist_ok=True)
        remove_partial(session.run.path)
        remove_partial(session.folder)
    checkpoints.restore(model)
    progress = session.progress
    if progress.best is not None:
        try:
            session.run.model()
        except ValueError:
            said = "model.keras is damaged; the next epoch's will take its place"
            warnings.warn(said, stacklevel=2)
            progress.best = None
    session.distribution.must_agree(
        "checkpoints", progress.epoch, progress.batches, progress.best is None
    )
    if not session.limit_is_reached():
        # An epoch that a limit ended goes on, and will be scored anew.
        del progress.scores[progress.epoch :]
        del progress.rows[progress.epoch :]
    RunLog(session).rewind()
    if session.is_done():
        say(f"Nothing is left to train: {why_over(session)}")


def fit_epochs(model, session, callbacks):
    """Fit the rest of an epoch, if one was begun, and then all others."""
    batches = session.batches
    progress = session.progress
    minutes = session.training.max_minutes
    seconds = None if minutes is None else 60 * minutes

    def fit_until(epoch, steps=None):
        if session.is_done():
            return
        model.fit(
            batches,
            validation_data=session.held_out,
            initial_epoch=progress.epoch,
            epochs=epoch,
            steps_per_epoch=steps,
            # The batches shuffle themselves, by seed and epoch.
            shuffle=False,
            verbose=0,
            callbacks=callbacks,
        )

    shows = doing(
        "compiling the first step",
        session.planned,
        "batches",
        done=progress.batches,
        seconds=seconds,
        shown=session.writes,
    )
    with shows:
        if progress.batch:
            fit_until(progress.epoch + 1, len(batches) - progress.batch)
            # Before Keras looks at the first batches again.
            batches.first = 0
        fit_until(session.training.epochs)


def save_mean(model, session, bleu):
    """Save the mean of the last epochs' weights if it is better than the best epoch.

    Without validation pairs nothing can tell, and it is saved: that of a quarter of the
    epochs at most, and the last one alone where that is less than two.
    """
    with session.distribution.main_process_first():
        pass  # all that process 0 wrote is there
    is_validated = session.held_out is not None
    count = session.training.average_last
    if not is_validated:
        # Nothing would tell that the first epochs make it worse.
        count = min(count, max(1, len(session.progress.scores) // 4))
    paths = EpochWeights(session).paths(count)
    session.distribution.must_agree("epochs' weights", len(paths))
    fewest = 2 if is_validated else min(2, count)
    if len(paths) < fewest:
        return
    checkpoints = (load_arrays(path)[0]["model"] for path in paths)
    model.set_weights(average_weights(checkpoints))
    best = KeepBest(session)
    best.set_model(model)
    if is_validated:
        score = score_of(model, session, bleu)
        is_saved = best.save_if_better(score)
        outcome = "saved" if is_saved else "not better than what is saved"
        outcome = f"{session.monitor} {score:.4f}, {outcome}"
    else:
        best.save()
        outcome = "saved"
    if session.writes:
        mean = f"mean of the last {len(paths)} epochs"
        say(f"{'the last epoch' if len(paths) == 1 else mean}: {outcome}")


def score_of(model, session, bleu):
    """The score of a model on the validation pairs, as the monitor has it."""
    if bleu is not None:
        bleu.set_model(model)
        return bleu.measure().bleu
    logs = model.evaluate(session.held_out, return_dict=True, verbose=0)
    return logs["nats"]
