"""A run that is ready to train: its configurations, its tokenizers, its token stores."""

import dataclasses
import importlib.util
import itertools
import json

import keras

from keras_transformer.config import FROM_TOKENIZER, DataConfig, TrainingConfig, preset
from keras_transformer.data.pairs import read_pairs
from keras_transformer.data.store import TokenStore
from keras_transformer.runs import run as runs
from keras_transformer.text.tokenizer import Tokenizer
from keras_transformer.training.checkpoints import save_checkpoint
from keras_transformer.training.progress import Progress
from keras_transformer.training.recipe import compile_for_training

# Of the validation pairs, translated after every epoch when BLEU decides.
BLEU_SENTENCES = 500
TRANSLATED = "data/translated.json"  # where a run holds them
VOCAB_SIZES = ("source_vocab_size", "target_vocab_size")
LIMITS = ("epochs", "max_updates", "max_minutes", "patience")
# When a run is resumed.
MAY_CHANGE = (*LIMITS, "tensorboard", "checkpoint_minutes", "keep_last", "keep_best")


def begin(run, files, model, data, training, overwrite, init_from, distribution):
    """Make a new run, ready to train."""
    if files[0] is None:
        raise ValueError(
            f"source must be given to begin a run; received none, and {str(run)!r} is none to resume"
        )
    training = training or TrainingConfig()
    if init_from is not None:
        model, data = continued(init_from, model, data)
    model, data = model or preset("tiny"), data or DataConfig()
    check(model, data, training, *files[2:])
    expected = (
        {} if init_from is not None else dict.fromkeys(VOCAB_SIZES, data.vocab_size)
    )
    distribution.check(dataclasses.replace(model, **expected), training)
    valid = files[2:] if files[2] is not None else None
    with runs.new_directory(run, overwrite) as aside:
        prepare(aside, files[:2], valid, model, data, training, init_from)


def resumed(run, model, data, training):
    """The configurations of a run that goes on: its own, with the limits that are given."""
    own = {kind: runs.read_config(run, kind) for kind in ("model", "data", "training")}
    must_equal(
        own["model"], model, except_for=FROM_TOKENIZER, why="as when the run was begun"
    )
    must_equal(own["data"], data, except_for=(), why="as when the run was begun")
    must_equal(
        own["training"],
        training,
        except_for=MAY_CHANGE,
        why="as when the run was begun",
    )
    return own["model"], own["data"], training or own["training"]


def continued(init_from, model, data):
    """The configurations of model and data of a run that begins with another's weights."""
    own = {kind: runs.read_config(init_from, kind) for kind in ("model", "data")}
    why = f"as in init_from={str(init_from)!r}"
    dropout = ("dropout", "attention_dropout")
    must_equal(own["model"], model, except_for=(*FROM_TOKENIZER, *dropout), why=why)
    filters = ("max_length", "max_ratio", "batch_tokens")
    must_equal(own["data"], data, except_for=filters, why=why)
    changes = (
        {name: getattr(model, name) for name in dropout} if model is not None else {}
    )
    return dataclasses.replace(own["model"], **changes), data or own["data"]


def must_equal(own, given, except_for, why):
    """Raise a `ValueError` that names the first field in which a given configuration differs."""
    for field in dataclasses.fields(own) if given is not None else ():
        expected, received = getattr(own, field.name), getattr(given, field.name)
        if expected != received and field.name not in except_for:
            raise ValueError(
                f"{field.name} must be {expected!r} {why}; received {received!r}"
            )


def check(model, data, training, valid_source, valid_target):
    """Raise a `ValueError` for what would fail only after a while."""
    if valid_source is None and valid_target is not None:
        raise ValueError(
            f"valid_source must be given with valid_target; received {str(valid_target)!r} alone"
        )
    if training.monitor == "bleu" and valid_source is None:
        raise ValueError(
            "monitor='bleu' needs valid_source and valid_target; received none"
        )
    if model.longest is not None and data.max_length > model.longest:
        raise ValueError(
            f"max_length must be at most max_positions={model.max_positions} with positions='learned'; received "
            f"{data.max_length}"
        )
    missing = [
        name
        for name in ("tensorflow", "tensorboard")
        if not importlib.util.find_spec(name)
    ]
    if training.tensorboard and missing:
        raise ValueError(
            f"tensorboard=True needs the packages tensorflow and tensorboard; not installed: {missing}"
        )


def prepare(run, files, valid, model, data, training, init_from=None):
    """Fill a new run with its tokenizers, its token stores and its configuration; give the model's."""
    tokenizers = (
        train_tokenizers(files, data)
        if init_from is None
        else runs.load_tokenizers(init_from)
    )
    runs.save_tokenizers(run, *tokenizers)
    for name, pair in (("train", files), ("valid", valid)):
        if pair is not None:
            store = TokenStore.build(
                run / "data" / name, read_pairs(*pair), *tokenizers, data
            )
            print(f"{name}: {store.report}", flush=True)
    if training.monitor == "bleu":
        (run / TRANSLATED).write_text(
            json.dumps([*itertools.islice(read_pairs(*valid), BLEU_SENTENCES)]), "utf-8"
        )
    model = dataclasses.replace(
        model,
        share_embeddings=data.share_embeddings,
        source_vocab_size=tokenizers[0].vocab_size,
        target_vocab_size=tokenizers[1].vocab_size,
        pad_id=tokenizers[1].special.pad,
        begin_id=tokenizers[1].special.begin,
        end_id=tokenizers[1].special.end,
    )
    origin = None if init_from is None else runs.read_origin(init_from)
    runs.write_configs(run, origin, model=model, data=data, training=training)
    runs.seal(run)
    (run / "checkpoints").mkdir()
    if init_from is not None:  # fine-tuning is to resume from before the first batch
        keras.utils.set_random_seed(training.seed)
        begun = compile_for_training(model, training)
        begun.set_weights(runs.load_model(init_from).get_weights())
        begun.optimizer.build(begun.trainable_variables)
        save_checkpoint(run / "checkpoints", begun, Progress())
    return model


def train_tokenizers(files, data):
    """The source and the target `Tokenizer` of a corpus: one object if they share a vocabulary."""
    options = (data.vocab_size, data.tokenizer, data.byte_fallback)

    def side(number):
        return (pair[number] for pair in read_pairs(*files))

    if data.share_embeddings:
        shared = Tokenizer.train(
            (line for pair in read_pairs(*files) for line in pair), *options
        )
        return shared, shared
    return Tokenizer.train(side(0), *options), Tokenizer.train(side(1), *options)
