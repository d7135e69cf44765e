"""From two text files to a run directory with a trained model."""

import dataclasses
import importlib.util
import itertools
import sys
from pathlib import Path

import keras

from keras_transformer import run_directory
from keras_transformer.config import DataConfig, TrainingConfig, preset
from keras_transformer.data import TokenBatches, TokenStore, read_pairs
from keras_transformer.evaluation import BleuCallback
from keras_transformer.models import Transformer
from keras_transformer.text import Tokenizer
from keras_transformer.training.averaging import average_weights
from keras_transformer.training.callbacks import Limits, RunLog, StopOnNonFiniteLoss
from keras_transformer.training.checkpoints import KeepBest, LastWeights
from keras_transformer.training.loss import LabelSmoothedCrossEntropy
from keras_transformer.training.metrics import Perplexity, TokenAccuracy, TokenCrossEntropy
from keras_transformer.training.schedule import WarmupSchedule, paper_adam

BLEU_SENTENCES = 500  # of the validation pairs, translated after every epoch when BLEU decides


def train(
    run,
    source,
    target=None,
    valid_source=None,
    valid_target=None,
    model="tiny",
    data=None,
    training=None,
    overwrite=False,
    resume=False,
):
    """Learn a tokenizer and a model from parallel text; leave a run directory for `Translator.load`.

    After every epoch the model is validated, and saved if it is the best so far; at the end the mean of the last
    epochs' weights is validated too, and saved if it is better still. Without validation pairs that mean is what is
    saved, as in the paper.

    Args:
        run: the directory to make.
        source, target: training sentences and their translations: paths of plain or `.gz` files; or one `.tsv`.
        valid_source, valid_target: held-out pairs, likewise.
        model: the name of a preset, or a `TransformerConfig`; its vocabulary sizes come from the tokenizer, and its
            `share_embeddings` from `data.share_vocabulary`.
        data: a `DataConfig`.
        training: a `TrainingConfig`.
        overwrite: replace an existing run, once the new one's data are ready.
        resume: not available yet.

    Returns:
        the trained `Transformer`, with the weights that were saved.

    Raises:
        ValueError: for bad input, before anything of it is kept.
        NonFiniteLoss: at an update whose loss is not finite; the model saved last is kept.
    """
    if resume:
        raise ValueError("resume=True is not available yet; train anew into another run, or pass overwrite=True")
    model = preset(model) if isinstance(model, str) else model
    data, training = data or DataConfig(), training or TrainingConfig()
    check(model, data, training, valid_source, valid_target)
    valid = (valid_source, valid_target) if valid_source is not None else None
    with run_directory.new_run(run, overwrite) as aside:
        model = prepare(aside, (source, target), valid, model, data, training)
    return fit(Path(run), model, data, training, valid)


def check(model, data, training, valid_source, valid_target):
    """Raise a `ValueError` for what would fail only after a while."""
    if valid_source is None and valid_target is not None:
        raise ValueError(f"valid_source must be given with valid_target; received {str(valid_target)!r} alone")
    if training.monitor == "bleu" and valid_source is None:
        raise ValueError("monitor='bleu' needs valid_source and valid_target; received none")
    if model.positions == "learned" and data.max_length > model.max_positions:
        raise ValueError(
            f"max_length must be at most max_positions={model.max_positions} with positions='learned'; received "
            f"{data.max_length}"
        )
    missing = [name for name in ("tensorflow", "tensorboard") if not importlib.util.find_spec(name)]
    if training.tensorboard and missing:
        raise ValueError(f"tensorboard=True needs the packages tensorflow and tensorboard; not installed: {missing}")


def prepare(run, files, valid, model, data, training):
    """Fill a new run with its tokenizers, its token stores and its configuration; give the model's."""
    tokenizers = train_tokenizers(files, data)
    run_directory.save_tokenizers(run, *tokenizers)
    for name, pair in (("train", files), ("valid", valid)):
        if pair is not None:
            _, report = TokenStore.build(run / "data" / name, read_pairs(*pair), *tokenizers, data)
            print(f"{name}: {report}", flush=True)
    model = dataclasses.replace(
        model,
        share_embeddings=data.share_vocabulary,
        source_vocab_size=tokenizers[0].vocab_size,
        target_vocab_size=tokenizers[1].vocab_size,
    )
    run_directory.write_configs(run, model=model, data=data, training=training)
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


def fit(run, config, data, training, valid):
    """Train a prepared run; give the model that was saved."""
    keras.utils.set_random_seed(training.seed)
    model = compiled_model(config, training)
    store = TokenStore.open(run / "data" / "train")
    batches = TokenBatches(store, data.batch_tokens, training.seed, accumulation=training.gradient_accumulation)
    held_out = None
    if valid is not None:
        held_out = TokenBatches(TokenStore.open(run / "data" / "valid"), data.batch_tokens, shuffle=False)

    bleu = None
    if training.monitor == "bleu":
        pairs = itertools.islice(read_pairs(*valid), BLEU_SENTENCES)
        bleu = BleuCallback(*zip(*pairs), *run_directory.load_tokenizers(run))
    monitor = "val_bleu" if bleu else "nats" if held_out is None else "val_nats"
    best = KeepBest(run, monitor, higher_is_better=bool(bleu))
    last = LastWeights(run, training.average_last)
    # The batches count epochs that were read to their end; here each epoch gets its own plan whatever was read.
    set_epoch = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: setattr(batches, "epoch", epoch))
    model.fit(
        batches,
        validation_data=held_out,
        epochs=training.epochs,
        shuffle=False,  # the batches shuffle themselves, by seed and epoch
        verbose=1 if sys.stdout.isatty() else 2,
        callbacks=[set_epoch, *watchers(run, training, bleu, monitor), last, best],
    )
    if len(last.paths) > 1:
        model.set_weights(average_weights(last.read()))
        name = f"mean of the last {len(last.paths)} epochs"
        if valid is None:
            run_directory.save_model(run, model)
            print(f"{name}: saved")
        else:
            measured = bleu.measure().bleu if bleu else model.evaluate(held_out, return_dict=True, verbose=0)["nats"]
            chosen = "saved" if best.offer(measured) else "not as good as the best epoch"
            print(f"{name}: {monitor} {measured:.4f}, {chosen}")
    return run_directory.load_model(run)


def watchers(run, training, bleu, monitor):
    """The callbacks that stop `fit` and write about it, in the order in which they must see an epoch's logs."""
    found = [StopOnNonFiniteLoss(), Limits(training.max_updates, training.max_minutes)]
    found += [bleu] if bleu else []
    found.append(RunLog(run))
    if training.tensorboard:
        found.append(keras.callbacks.TensorBoard(run / "tensorboard", write_graph=False))
    if training.patience is not None:
        mode = "max" if bleu else "min"
        found.append(keras.callbacks.EarlyStopping(monitor, patience=training.patience, mode=mode))
    return found
