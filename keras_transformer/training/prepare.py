"""A run that is ready to train: its settings, its tokenizers, its token stores."""

import dataclasses
import itertools
import json
from pathlib import Path

import keras

from keras_transformer.config import FROM_TOKENIZER, DataConfig, TrainingConfig, preset
from keras_transformer.data.pairs import read_pairs
from keras_transformer.data.store import TokenStore
from keras_transformer.models.transformer import Transformer
from keras_transformer.runs.extras import needed
from keras_transformer.runs.run import Run, RunConfig
from keras_transformer.runs.sealed_files import new_directory
from keras_transformer.text.tokenizer import Tokenizer
from keras_transformer.training.checkpoints import Checkpoints
from keras_transformer.training.progress import Session
from keras_transformer.training.recipe import compile_for_training

# Of the validation pairs, translated after every epoch when BLEU decides.
BLEU_SENTENCES = 500
TRANSLATED = "data/translated.json"  # where a run holds them
DROPOUT = ("dropout", "attention_dropout")
FILTERS = ("max_length", "max_ratio", "batch_tokens")
# When a run is resumed: its limits and what is kept.
MAY_CHANGE = (
    "epochs",
    "max_updates",
    "max_minutes",
    "patience",
    "tensorboard",
    "checkpoint_minutes",
    "keep_last",
    "keep_best",
)


def begin(path, files, model, data, training, overwrite, init_from, distribution):
    """Make a new run, ready to train; `files` are as in `prepare`."""
    source, _, valid_source, valid_target = files
    if source is None:
        raise ValueError(
            "source must be given to begin a run; received none, and "
            f"{str(path)!r} is none to resume"
        )
    training = training or TrainingConfig()
    begun = None
    if init_from is not None:
        begun = Run.open(init_from)
        model, data = continued(begun, model, data)
    model = model or preset("tiny")
    data = data or DataConfig()
    check(model, data, training, valid_source, valid_target)
    if begun is None:
        model = dataclasses.replace(
            model, source_vocab_size=data.vocab_size, target_vocab_size=data.vocab_size
        )
    distribution.check(model, training)
    with new_directory(path, overwrite) as aside:
        prepare(aside, files, RunConfig(model, data, training), begun)


def resumed(run, model, data, training):
    """The `TrainingConfig` of a run that goes on: its own, with the limits given."""
    why = "as when the run was begun"
    must_equal(run.config.model, model, FROM_TOKENIZER, why)
    must_equal(run.config.data, data, (), why)
    must_equal(run.config.training, training, MAY_CHANGE, why)
    return training or run.config.training


def continued(begun, model, data):
    """The settings of model and data of a run that begins with another's weights."""
    why = f"as in init_from={str(begun.path)!r}"
    own = begun.config
    must_equal(own.model, model, (*FROM_TOKENIZER, *DROPOUT), why)
    must_equal(own.data, data, FILTERS, why)
    changes = {}
    if model is not None:
        changes = {name: getattr(model, name) for name in DROPOUT}
    return dataclasses.replace(own.model, **changes), data or own.data


def must_equal(own, given, except_for, why):
    """Raise a `ValueError` that names the first field that differs."""
    if given is None:
        return
    for field in dataclasses.fields(own):
        expected = getattr(own, field.name)
        received = getattr(given, field.name)
        if expected != received and field.name not in except_for:
            raise ValueError(
                f"{field.name} must be {expected!r} {why}; received {received!r}"
            )


def check(model, data, training, valid_source, valid_target):
    """Raise a `ValueError` for what would fail only after a while."""
    if valid_source is None and valid_target is not None:
        raise ValueError(
            "valid_source must be given with valid_target; "
            f"received {str(valid_target)!r} alone"
        )
    if training.monitor == "bleu" and valid_source is None:
        raise ValueError(
            "monitor='bleu' needs valid_source and valid_target; received none"
        )
    if model.longest is not None and data.max_length > model.longest:
        raise ValueError(
            f"max_length must be at most max_positions={model.max_positions} with "
            f"positions='learned'; received {data.max_length}"
        )
    if training.tensorboard:
        needed("tensorflow", "tensorboard", extra="tensorflow")


def prepare(folder, files, config, begun=None):
    """Fill a new run with its tokenizers, its token stores and its configuration.

    Args:
        folder: an empty directory.
        files: paths of source, target, validation source and validation target; None
            for each that there is not.
        config: the `RunConfig`; what the tokenizers say about the model is filled in.
        begun: the `Run` whose tokenizers and weights to begin with.

    Returns:
        the `Run`.
    """
    folder = Path(folder)
    pairs = {"train": files[:2], "valid": files[2:]}
    if files[2] is None:
        del pairs["valid"]
    origin = None
    if begun is None:
        tokenizers = train_tokenizers(pairs["train"], config.data)
    else:
        tokenizers = begun.tokenizers
        origin = begun.config.origin
    for name, pair in pairs.items():
        place = folder / "data" / name
        store = TokenStore.build(place, read_pairs(*pair), *tokenizers, config.data)
        print(f"{name}: {store.report}", flush=True)
    if config.training.monitor == "bleu":
        translated = itertools.islice(read_pairs(*pairs["valid"]), BLEU_SENTENCES)
        (folder / TRANSLATED).write_text(json.dumps(list(translated)), "utf-8")
    source, target = tokenizers
    model = dataclasses.replace(
        config.model,
        share_embeddings=config.data.share_embeddings,
        source_vocab_size=source.vocab_size,
        target_vocab_size=target.vocab_size,
        pad_id=target.special.pad,
        begin_id=target.special.begin,
        end_id=target.special.end,
    )
    config = dataclasses.replace(config, model=model, origin=origin)
    run = Run.begin(folder, config, tokenizers)
    (folder / "checkpoints").mkdir()
    if begun is not None:
        save_first_checkpoint(run, begun)
    return run


def save_first_checkpoint(run, begun):
    """Let a run that is fine-tuned be resumed from before its first batch."""
    training = run.config.training
    keras.utils.set_random_seed(training.seed)
    model = Transformer(run.config.model, dtype=training.dtype)
    compile_for_training(model, training, loss_reduction="sum")
    model.set_weights(begun.model().get_weights())
    model.optimizer.build(model.trainable_variables)
    checkpoints = Checkpoints(Session(run, training))
    checkpoints.set_model(model)
    checkpoints.save()


def train_tokenizers(pair, data):
    """The tokenizers of two files: one object if they share a vocabulary."""

    def learn(lines):
        return Tokenizer.train(
            lines, data.vocab_size, data.tokenizer, data.byte_fallback
        )

    if data.share_embeddings:
        shared = learn(line for texts in read_pairs(*pair) for line in texts)
        return shared, shared
    return (
        learn(source for source, _ in read_pairs(*pair)),
        learn(target for _, target in read_pairs(*pair)),
    )
