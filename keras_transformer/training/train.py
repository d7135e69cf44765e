"""From two text files to a run directory with a trained model."""

import dataclasses
import importlib.util
import itertools
import json
import sys
import warnings
from pathlib import Path

import keras

from keras_transformer import run_directory
from keras_transformer.config import FROM_TOKENIZER, DataConfig, TrainingConfig, preset
from keras_transformer.data import TokenBatches, TokenStore, read_pairs
from keras_transformer.evaluation import BleuCallback
from keras_transformer.files import load_arrays
from keras_transformer.models import Transformer
from keras_transformer.text import Tokenizer
from keras_transformer.text.frame import Frame
from keras_transformer.training.averaging import average_weights
from keras_transformer.training.callbacks import Limits, RunLog, StopOnNonFiniteLoss
from keras_transformer.training.checkpoints import (
    Checkpoints,
    EpochWeights,
    KeepBest,
    save_checkpoint,
    signals_noted,
)
from keras_transformer.training.loss import LabelSmoothedCrossEntropy
from keras_transformer.training.metrics import Perplexity, TokenAccuracy, TokenCrossEntropy
from keras_transformer.training.progress import Follow, Progress
from keras_transformer.training.schedule import WarmupSchedule, paper_adam

BLEU_SENTENCES = 500  # of the validation pairs, translated after every epoch when BLEU decides
TRANSLATED = "data/translated.json"  # where a run holds them
LIMITS = ("epochs", "max_updates", "max_minutes", "patience")
MAY_CHANGE = (*LIMITS, "tensorboard", "checkpoint_minutes", "keep_last", "keep_best")  # when a run is resumed


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
):
    """Learn a tokenizer and a model from parallel text; leave a run directory for `Translator.load`.

    After every epoch the model is validated, and saved if it is the best so far; at the end the mean of the last
    epochs' weights is validated too, and saved if it is better still. Without validation pairs that mean is what is
    saved, as in the paper.

    Checkpoints are written as `training` says, and when SIGINT or SIGTERM asks to leave. A run that was ended at any
    moment goes on with `resume=True`, and on the same backend ends with the bits of a run that was not ended.

    Args:
        run: the directory to make.
        source, target: training sentences and their translations: paths of plain or `.gz` files; or one `.tsv`. Not
            read again when a run is resumed.
        valid_source, valid_target: held-out pairs, likewise.
        model: the name of a preset, or a `TransformerConfig`; its vocabulary sizes come from the tokenizer, and its
            `share_embeddings` from `data.share_vocabulary`. "tiny" when absent.
        data: a `DataConfig`.
        training: a `TrainingConfig`.
        overwrite: replace an existing run, once the new one's data are ready.
        resume: go on with `run` where it was interrupted; begin it if there is none. What is given beside must be as
            when it was begun, but for limits (`epochs`, `max_updates`, `max_minutes`, `patience`) and what is kept:
            these hold for this call.
        init_from: a run whose tokenizer and weights to begin with, for fine-tuning; `model` may change its dropout.

    Returns:
        the trained `Transformer`, with the weights that were saved.

    Raises:
        ValueError: for bad input, before anything of it is kept.
        NonFiniteLoss: at an update whose loss is not finite; the model saved last is kept.
        Interrupted: after SIGINT or SIGTERM, once a checkpoint is written.
    """
    run = Path(run)
    run_directory.tidy(run)
    model = preset(model) if isinstance(model, str) else model
    if resume and (run / "config.json").is_file():
        configs = resumed(run, model, data, training)
    else:
        if source is None:
            raise ValueError(f"source must be given to begin a run; received none, and {str(run)!r} is none to resume")
        training = training or TrainingConfig()
        if init_from is not None:
            model, data = continued(init_from, model, data)
        model, data = model or preset("tiny"), data or DataConfig()
        check(model, data, training, valid_source, valid_target)
        valid = (valid_source, valid_target) if valid_source is not None else None
        with run_directory.new_directory(run, overwrite) as aside:
            configs = prepare(aside, (source, target), valid, model, data, training, init_from), data, training
        resume = init_from is not None
    with run_directory.locked(run):
        return fit(run, *configs, resume)


def resumed(run, model, data, training):
    """The configurations of a run that goes on: its own, with the limits that are given."""
    own = {kind: run_directory.read_config(run, kind) for kind in ("model", "data", "training")}
    must_equal(own["model"], model, except_for=FROM_TOKENIZER, why="as when the run was begun")
    must_equal(own["data"], data, except_for=(), why="as when the run was begun")
    must_equal(own["training"], training, except_for=MAY_CHANGE, why="as when the run was begun")
    run_directory.verify(run, "data")
    return own["model"], own["data"], training or own["training"]


def continued(init_from, model, data):
    """The configurations of model and data of a run that begins with another's weights."""
    own = {kind: run_directory.read_config(init_from, kind) for kind in ("model", "data")}
    why = f"as in init_from={str(init_from)!r}"
    dropout = ("dropout", "attention_dropout")
    must_equal(own["model"], model, except_for=(*FROM_TOKENIZER, *dropout), why=why)
    filters = ("max_length", "max_ratio", "batch_tokens")
    must_equal(own["data"], data, except_for=filters, why=why)
    changes = {name: getattr(model, name) for name in dropout} if model is not None else {}
    return dataclasses.replace(own["model"], **changes), data or own["data"]


def must_equal(own, given, except_for, why):
    """Raise a `ValueError` that names the first field in which a given configuration differs."""
    for field in dataclasses.fields(own) if given is not None else ():
        expected, received = getattr(own, field.name), getattr(given, field.name)
        if expected != received and field.name not in except_for:
            raise ValueError(f"{field.name} must be {expected!r} {why}; received {received!r}")


def check(model, data, training, valid_source, valid_target):
    """Raise a `ValueError` for what would fail only after a while."""
    if valid_source is None and valid_target is not None:
        raise ValueError(f"valid_source must be given with valid_target; received {str(valid_target)!r} alone")
    if training.monitor == "bleu" and valid_source is None:
        raise ValueError("monitor='bleu' needs valid_source and valid_target; received none")
    if model.longest is not None and data.max_length > model.longest:
        raise ValueError(
            f"max_length must be at most max_positions={model.max_positions} with positions='learned'; received "
            f"{data.max_length}"
        )
    missing = [name for name in ("tensorflow", "tensorboard") if not importlib.util.find_spec(name)]
    if training.tensorboard and missing:
        raise ValueError(f"tensorboard=True needs the packages tensorflow and tensorboard; not installed: {missing}")


def prepare(run, files, valid, model, data, training, init_from=None):
    """Fill a new run with its tokenizers, its token stores and its configuration; give the model's."""
    tokenizers = train_tokenizers(files, data) if init_from is None else run_directory.load_tokenizers(init_from)
    run_directory.save_tokenizers(run, *tokenizers)
    for name, pair in (("train", files), ("valid", valid)):
        if pair is not None:
            _, report = TokenStore.build(run / "data" / name, read_pairs(*pair), *tokenizers, data)
            print(f"{name}: {report}", flush=True)
    if training.monitor == "bleu":
        (run / TRANSLATED).write_text(json.dumps([*itertools.islice(read_pairs(*valid), BLEU_SENTENCES)]), "utf-8")
    model = dataclasses.replace(
        model,
        share_embeddings=data.share_vocabulary,
        source_vocab_size=tokenizers[0].vocab_size,
        target_vocab_size=tokenizers[1].vocab_size,
        pad_id=tokenizers[1].special.pad,
        begin_id=tokenizers[1].special.begin,
        end_id=tokenizers[1].special.end,
    )
    run_directory.write_configs(run, model=model, data=data, training=training)
    run_directory.seal(run)
    (run / "checkpoints").mkdir()
    if init_from is not None:  # fine-tuning is to resume from before the first batch
        keras.utils.set_random_seed(training.seed)
        begun = compiled_model(model, training)
        begun.set_weights(run_directory.load_model(init_from).get_weights())
        begun.optimizer.build(begun.trainable_variables)
        save_checkpoint(run / "checkpoints", begun, Progress())
    return model


def train_tokenizers(files, data):
    """The source and the target `Tokenizer` of a corpus: one object if they share a vocabulary."""
    options = (data.vocab_size, data.tokenizer, data.byte_fallback)

    def side(number):
        return (pair[number] for pair in read_pairs(*files))

    if data.share_vocabulary:
        shared = Tokenizer.train((line for pair in read_pairs(*files) for line in pair), *options)
        return shared, shared
    return Tokenizer.train(side(0), *options), Tokenizer.train(side(1), *options)


def compiled_model(config, training):
    """The `Transformer` of a config, compiled with the recipe of a `TrainingConfig`."""
    model = Transformer(config, dtype=training.dtype)
    steps = training.gradient_accumulation
    schedule = WarmupSchedule(config.d_model, training.warmup_updates, training.learning_rate_scale, steps)
    optimizer = paper_adam(
        schedule,
        weight_decay=training.weight_decay,
        global_clipnorm=training.clip_norm,
        gradient_accumulation_steps=steps if steps > 1 else None,
    )
    model.compile(
        optimizer,
        LabelSmoothedCrossEntropy(training.label_smoothing),
        weighted_metrics=[TokenCrossEntropy(), Perplexity(), TokenAccuracy()],
        # XLA is JAX's own compiler; under the others a plain graph or eager run starts sooner and is as fast.
        jit_compile=keras.backend.backend() == "jax",
    )
    return model


def fit(run, config, data, training, resume):
    """Train a prepared run, from its start or from its newest checkpoint; give the model that was saved."""
    keras.utils.set_random_seed(training.seed)
    model = compiled_model(config, training)
    batches, held_out = open_batches(run, data, training)
    progress, bleu = Progress(), None
    if training.monitor == "bleu":
        translated = json.loads((run / TRANSLATED).read_text("utf-8"))
        bleu = BleuCallback(*zip(*translated), *run_directory.load_tokenizers(run))
    monitor = "val_bleu" if bleu else "nats" if held_out is None else "val_nats"
    limits = Limits(progress, training.max_updates, training.max_minutes, training.gradient_accumulation)
    finite, log = StopOnNonFiniteLoss(progress, training.gradient_accumulation), RunLog(run, progress)
    best = KeepBest(run, progress, monitor, bool(bleu), training.patience)
    last = EpochWeights(run, progress, training.average_last, training.keep_best, bool(bleu))
    extra = [bleu] if bleu else []
    extra += [keras.callbacks.TensorBoard(run / "tensorboard", write_graph=False)] if training.tensorboard else []

    def ended():
        return progress.epoch >= training.epochs or limits.reached() or best.patience_is_over()

    with signals_noted() as signals:
        schedule = (training.checkpoint_minutes, training.keep_last)
        checkpoints = Checkpoints(run, progress, batches, *schedule, limits, signals)
        if resume:
            checkpoints.restore(model)
            if progress.best is not None and not run_directory.holds_model(run):
                warnings.warn("model.keras is damaged; the next epoch's will take its place", stacklevel=2)
                progress.best = None
        if ended():
            print("Nothing is left to train: a limit is reached. --epochs, --max-updates and so on move it.")
        else:
            log.rewind()
        options = dict(
            validation_data=held_out,
            shuffle=False,  # the batches shuffle themselves, by seed and epoch
            verbose=1 if sys.stdout.isatty() else 2,
            # In the order in which they must see the end of a batch and of an epoch.
            callbacks=[Follow(progress, batches), finite, limits, *extra, log, best, last, checkpoints],
        )
        if progress.batch and not ended():  # the rest of an epoch
            rest = len(batches) - progress.batch
            epochs = dict(initial_epoch=progress.epoch, epochs=progress.epoch + 1)
            model.fit(batches, steps_per_epoch=rest, **epochs, **options)
            batches.first = 0  # before Keras looks at the first batches again
        if not ended():
            model.fit(batches, initial_epoch=progress.epoch, epochs=training.epochs, **options)

    if len(paths := last.paths()) > 1:
        model.set_weights(average_weights(list(load_arrays(path)[0].values()) for path in paths))
        offer_mean(model, held_out, bleu, best, f"mean of the last {len(paths)} epochs")
    checkpoints.note_best()
    return run_directory.load_model(run)


def open_batches(run, data, training):
    """The `TokenBatches` of a run's training pairs and of its validation pairs, None if it has none."""
    store, frame = TokenStore.open(run / "data" / "train"), Frame.of(*run_directory.load_tokenizers(run))
    options = dict(accumulation=training.gradient_accumulation, frame=frame)
    batches = TokenBatches(store, data.batch_tokens, training.seed, **options)
    if not (run / "data" / "valid").exists():
        return batches, None
    return batches, TokenBatches(TokenStore.open(run / "data" / "valid"), data.batch_tokens, shuffle=False, frame=frame)


def offer_mean(model, held_out, bleu, best, name):
    """Save the model, whose weights are a mean, if it is better than the best epoch, or nothing can tell."""
    best.set_model(model)
    if held_out is None:
        run_directory.save_model(best.run, model)
        print(f"{name}: saved")
        return
    if bleu:
        bleu.set_model(model)
    measured = bleu.measure().bleu if bleu else model.evaluate(held_out, return_dict=True, verbose=0)["nats"]
    chosen = "saved" if best.offer(measured) else "not better than what is saved"
    print(f"{name}: {best.monitor} {measured:.4f}, {chosen}")
