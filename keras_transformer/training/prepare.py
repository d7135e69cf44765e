"""A run that is ready to train: its settings, its tokenizers, its token stores."""

import dataclasses
import itertools
import json
import math
import operator
import re
from pathlib import Path

import keras

from ..config import (
    FROM_TOKENIZER,
    CausalLMConfig,
    expect,
)
from ..data.pairs import read_pairs
from ..data.sides import check_sides
from ..data.store import TokenStore
from ..evaluation.scores import bleu_metric, chosen_tokenize
from ..models.kinds import model_of
from ..runs.bars import doing, say
from ..runs.extras import needed
from ..runs.flag_names import spelled
from ..runs.run import Run, RunConfig
from ..runs.sealed_files import locked, new_directory
from ..text.lines import count_lines
from ..text.tokenizer import Tokenizer
from .checkpoints import Checkpoints
from .fitted import chosen_by, fitted_settings
from .plan import warn_of_plan
from .progress import Session
from .recipe import compile_for_training
from .text import check_text, prepare_text

# Of the validation pairs, translated after every epoch when BLEU decides.
BLEU_SENTENCES = 500
# Where a run holds them.
TRANSLATED = "data/translated.json"
SIDES = ("src", "tgt", "trg", "tok")  # names that would be codes of languages
# The end of a file's name: train.en, train_en.txt, en.txt.gz.
LANGUAGE = re.compile(r"(?:^|[._-])([a-z]{2,3})(?:\.txt)?(?:\.gz)?$")
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


def begin(
    path,
    kind,
    files,
    model,
    data,
    training,
    overwrite,
    init_from,
    distribution,
    held,
):
    """Make a new run, ready to train, which the `ExitStack` `held` holds from then on.

    The `files` are as in `prepare`; `kind` is the class of the model's configuration.
    """
    is_text = kind is CausalLMConfig
    source, _, valid_source, valid_target = files
    what = f"be given to begin a run, {str(path)!r} being none to resume"
    expect(source, "text" if is_text else "source", what, source)
    if is_text:
        check_text(files[::2], data, training)
    else:
        check_pairs(files)
    begun = None
    if init_from is not None:
        begun = Run.open(init_from)
        begun.check_kind(is_text, "a language model" if is_text else "a translator")
        model, data = continued(begun, model, data)
    if None in (model, data, training):
        own = begun and begun.config
        given = chosen_by(model, data, training)
        is_validated = valid_source is not None
        corpus = dict(text=source) if is_text else dict(source=source, target=files[1])
        how = dict(begun=own, validated=is_validated, **given)
        settings = fitted_settings(**corpus, **how)
        print(settings, flush=True)
        model = model or settings.model
        data = data or settings.data
        training = training or settings.training
    rank = training.lora_rank
    is_right = rank is None or init_from is not None
    expect(is_right, "lora_rank", "be absent without init_from", rank)
    if valid_target is not None or training.monitor == "bleu":
        what = "be given with valid_target or monitor='bleu'"
        expect(valid_source is not None, "valid_source", what, valid_source)
    if training.monitor == "bleu" and training.bleu_tokenize != "auto":
        bleu_metric(training.bleu_tokenize)  # likewise
    if training.tensorboard:
        needed("tensorflow", "tensorboard", extra="tensorflow")
    fits = model.longest is None or data.max_length <= model.longest
    limit = f"max_positions={model.max_positions} with positions='learned'"
    expect(fits, "max_length", f"be at most {limit}", data.max_length)
    if begun is None:
        names = ["vocab_size"] if is_text else FROM_TOKENIZER[:2]
        sizes = dict.fromkeys(names, data.vocab_size)
        model = dataclasses.replace(model, **sizes)
    distribution.check(model, training)
    with new_directory(path, overwrite) as aside:
        run = prepare(aside, files, RunConfig(model, data, training), begun)
        warn_of_plan(run, begun)
        held.enter_context(locked(aside))  # under its new name, too


def check_pairs(files):
    """Raise a `ValueError` for files that cannot be read, or are swapped."""
    for pair in (files[:2], files[2:]):
        if pair[0] is not None:
            next(read_pairs(*pair), None)
    check_sides(*files)


def resumed(run, model, data, training):
    """The `TrainingConfig` of a run that goes on: its own, with the limits given."""
    why = "as when the run was begun"
    must_equal(run.config.model, model, FROM_TOKENIZER, why)
    must_equal(run.config.data, data, (), why)
    own = run.config.training
    if training is not None and training.bleu_tokenize == "auto":
        training = dataclasses.replace(training, bleu_tokenize=own.bleu_tokenize)
    must_equal(own, training, MAY_CHANGE, why)
    return training or own


def continued(begun, model, data):
    """The settings of model and data of a run that begins with another's weights."""
    why = f"as in init_from={str(begun.path)!r}"
    own = begun.config
    is_float = own.quantization is None
    expect(is_float, "init_from", "hold float weights", own.quantization)
    must_equal(own.model, model, (*FROM_TOKENIZER, *DROPOUT), why)
    must_equal(own.data, data, FILTERS, why)
    given = model or own.model
    dropout = {name: getattr(given, name) for name in DROPOUT}
    return dataclasses.replace(own.model, **dropout), data or own.data


def must_equal(own, given, except_for, why):
    """Raise a `ValueError` that names the first field that differs."""
    found = vars(given or own)
    for name, value in vars(own).items():
        is_right = name in except_for or found[name] == value
        expect(is_right, name, f"be {value!r} {why}", found[name])


def prepare(folder, files, config, begun=None):
    """Fill an empty directory with tokenizers, token stores and settings of a `Run`.

    Args:
        folder: the directory.
        files: paths of source, target, validation source and target, or None.
        config: the `RunConfig`; what the tokenizers say about the model is filled in.
        begun: the `Run` whose tokenizers and weights to begin with.
    """
    if config.is_language_model:
        tokenizers, config = prepare_text(folder, files[::2], config, begun)
    else:
        tokenizers, config = prepare_pairs(folder, files, config, begun)
    run = Run.begin(folder, config, tokenizers)
    (folder / "checkpoints").mkdir()
    # So that it can be resumed from before its first batch.
    if begun is not None:
        model = new_model(run, config.training, begun.model().get_weights())
        trained = sum(math.prod(one.shape) for one in model.trainable_variables)
        print(f"{trained:,} of {model.config.parameters:,} parameters are trained")
        model.optimizer.build(model.trainable_variables)
        checkpoints = Checkpoints(Session(run, config.training))
        checkpoints.set_model(model)
        checkpoints.save()
    return run


def prepare_pairs(folder, files, config, begun=None):
    """Fill a folder with the stores of pairs; the tokenizers, and the `RunConfig`."""
    data = config.data
    sides = {"train": files[:2], "valid": files[2:]}
    counts = {name: count_lines(pair[0]) for name, pair in sides.items() if pair[0]}
    if begun:
        tokenizers = begun.tokenizers
    else:
        lines = f"{2 * counts['train']:,} sentences"
        with doing(f"learning the vocabulary of {lines}", unit="read"):
            tokenizers = train_tokenizers(files[:2], data)
    for name, count in counts.items():
        place = folder / "data" / name
        pairs = read_pairs(*sides[name])
        with doing(f"cutting {name} into tokens", count, "pairs"):
            store = TokenStore.build(place, pairs, *tokenizers, config=data)
        say(spelled(f"{name}: {store.report}"))
    if config.training.monitor == "bleu":
        translated = list(itertools.islice(read_pairs(*files[2:]), BLEU_SENTENCES))
        (folder / TRANSLATED).write_text(json.dumps(translated), "utf-8")
        references = [reference for _, reference in translated]
        chosen = chosen_tokenize(config.training.bleu_tokenize, references)
        training = dataclasses.replace(config.training, bleu_tokenize=chosen)
        config = dataclasses.replace(config, training=training)
    source, target = tokenizers
    model = dataclasses.replace(
        config.model,
        share_embeddings=data.share_embeddings,
        source_vocab_size=source.vocab_size,
        target_vocab_size=target.vocab_size,
        pad_id=target.special.pad,
        begin_id=target.special.begin,
        end_id=target.special.end,
    )
    earlier = begun.config if begun else config
    languages = earlier.languages or languages_in(files[:2])
    known = dict(origin=earlier.origin, languages=languages)
    config = dataclasses.replace(config, model=model, **known)
    return tokenizers, config


def new_model(run, training, weights=None):
    """A run's model as it begins, compiled, with the weights of another if given."""
    keras.utils.set_random_seed(training.seed)
    model = model_of(run.config.model, training.dtype)
    if weights is not None:
        model.set_weights(weights)
    if training.lora_rank is not None:
        model.enable_lora(training.lora_rank)
    # The weights of the batches make a mean of the sum, on any number of devices.
    return compile_for_training(model, training, loss_reduction="sum")


def languages_in(pair):
    """The codes of two languages that the names of their files end with, or None.

    Examples:
        >>> languages_in(["train.en", "train.de.gz"]), languages_in(["a.src", "a.tgt"])
        (['en', 'de'], None)
    """
    found = [LANGUAGE.search(Path(path or "").name) for path in pair]
    codes = [match[1] for match in found if match and match[1] not in SIDES]
    return codes if len(set(codes)) == 2 else None


def train_tokenizers(pair, data):
    """The tokenizers of two files: one object if they share a vocabulary."""
    options = (data.vocab_size, data.tokenizer, data.byte_fallback)
    if data.share_embeddings:
        lines = itertools.chain.from_iterable(read_pairs(*pair))
        shared = Tokenizer.train(lines, *options)
        return shared, shared
    sides = [map(operator.itemgetter(side), read_pairs(*pair)) for side in (0, 1)]
    return [Tokenizer.train(lines, *options) for lines in sides]
