"""A run that is ready to train: its settings, its tokenizers, its token stores."""

import dataclasses
import itertools
import json
import math
import operator

import keras

from ..config import (
    FROM_TOKENIZER,
    CausalLMConfig,
    DataConfig,
    FilterConfig,
    expect,
    flag_fields,
)
from ..data.corpus import clean_pairs, held_out
from ..data.sides import check_sides
from ..data.store import TokenStore
from ..evaluation.scores import bleu_metric, chosen_tokenize
from ..models.kinds import model_of
from ..process.bars import doing, say
from ..process.extras import needed
from ..process.flag_names import spelled
from ..runs.card import CLEANED, HELD_OUT
from ..runs.run import Run, RunConfig
from ..runs.sealed_files import check_new, locked, new_directory, write_json
from ..text.markup import Markup
from ..text.tokenizer import Tokenizer
from .advice import warn_of_plan
from .checkpoints import Checkpoints
from .fitted import chosen_by, fitted_settings
from .prepare_text import check_text, prepare_text
from .progress import Session
from .recipe import compile_for_training

# Of the validation pairs, translated after every epoch when BLEU decides.
BLEU_SENTENCES = 500
# Where a run holds them.
TRANSLATED = "data/translated.json"
DROPOUT = ("dropout", "attention_dropout")
FILTERS = (
    "max_length",
    "max_ratio",
    "batch_tokens",
    "valid_size",
    *flag_fields(FilterConfig),
)
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
    corpus,
    valid,
    model,
    data,
    training,
    overwrite,
    init_from,
    distribution,
    held,
):
    """Make a new run, ready to train, which the `ExitStack` `held` holds from then on.

    `kind` is the class of the model's configuration; the corpora are `Pairs`, or paths
    of text for a language model.
    """
    check_new(path, overwrite)
    is_text = kind is CausalLMConfig
    what = f"be given to begin a run, {str(path)!r} being none to resume"
    is_given = corpus is not None and corpus != []
    expect(is_given, "text" if is_text else "source", what, corpus)
    if is_text:
        check_text(corpus, valid, data, training)
    elif valid is not None:
        next(iter(valid), None)  # what cannot be read is refused now
    begun = None
    if init_from is not None:
        begun = Run.open(init_from)
        begun.check_kind(is_language_model=is_text)
        model, data = continued(begun, model, data)
    filters = data or DataConfig()
    is_validated = valid is not None
    if not is_text:
        is_validated = is_validated or filters.valid_size != 0
        corpus = cleaned(corpus, valid, filters)
    if None in (model, data, training):
        material = {"text": corpus} if is_text else {"source": corpus}
        settings = fitted_settings(
            **material,
            begun=begun and begun.config,
            validated=is_validated,
            **chosen_by(model, data, training),
        )
        print(settings, flush=True)
        model = model or settings.model
        data = data or settings.data
        training = training or settings.training
    check_training(training, begun, is_validated, filters)
    check_model(model, data, training)
    if begun is None:
        model = with_vocabulary(model, data.vocab_size)
    distribution.check(model, training)
    with new_directory(path, overwrite) as aside:
        config = RunConfig(model, data, training)
        run = prepare(aside, corpus, valid, config, begun)
        warn_of_plan(run, begun)
        held.enter_context(locked(aside))  # under its new name, too


def with_vocabulary(model, size):
    """A model's configuration with vocabularies of a size."""
    if isinstance(model, CausalLMConfig):
        return dataclasses.replace(model, vocab_size=size)
    return dataclasses.replace(model, source_vocab_size=size, target_vocab_size=size)


def cleaned(corpus, valid, filters):
    """The pairs that the filters keep, if they can be trained on as they are given."""
    check_tags(corpus, filters)
    corpus = clean_pairs(corpus, config=filters)
    if valid is not None:
        check_sides(corpus, valid)
        return corpus
    is_right = filters.valid_size == 0 or not corpus.is_mixture
    what = "be given with weights or tags: a mixture holds none out"
    expect(is_right, "valid_pairs", what, valid)
    return corpus


def check_tags(corpus, filters):
    """Raise a `ValueError` for a tag that is markup, which only one side would have."""
    markup = Markup.of(filters)
    for tag in corpus.tags if markup else ():
        must = "be no markup, which the model copies"
        expect(not markup.marks_in(tag), "tags", must, tag)


def check_model(model, data, training):
    """Raise a `ValueError` for settings that do not go with those of the model."""
    drops = model.dropout or model.attention_dropout
    what = "be 0 without dropout, which makes two passes differ"
    expect(drops or not training.r_drop, "r_drop", what, training.r_drop)
    fits = model.longest is None or data.max_length <= model.longest
    limit = f"max_positions={model.max_positions} with positions='learned'"
    expect(fits, "max_length", f"be at most {limit}", data.max_length)


def check_training(training, begun, is_validated, filters):
    """Raise an error for settings of a training that do not go with the rest."""
    rank = training.lora_rank
    is_right = rank is None or begun is not None
    expect(is_right, "lora_rank", "be absent without init_from", rank)
    is_own = begun is None or isinstance(begun.tokenizers[0], Tokenizer)
    is_own_bpe = is_own and filters.tokenizer == "bpe"
    dropout = training.bpe_dropout
    what = "be 0 unless the tokenizer is BPE of our own"
    expect(is_own_bpe or not dropout, "bpe_dropout", what, dropout)
    dropout = training.word_dropout
    what = "be 0 with markup, whose symbols are copied"
    is_right = not dropout or Markup.of(filters) is None
    expect(is_right, "word_dropout", what, dropout)
    if training.monitor == "bleu":
        what = "be at least 1, or valid_source be given, with monitor='bleu'"
        expect(is_validated, "valid_size", what, filters.valid_size)
        if training.bleu_tokenize != "auto":
            bleu_metric(training.bleu_tokenize)  # an unknown name is refused now
    if training.tensorboard:
        needed("tensorflow", "tensorboard", extra="tensorflow")


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
    received = vars(given or own)
    for name, value in vars(own).items():
        is_right = name in except_for or received[name] == value
        expect(is_right, name, f"be {value!r} {why}", received[name])


def prepare(folder, corpus, valid, config, begun=None):
    """Fill an empty directory with tokenizers, token stores and settings of a `Run`.

    Args:
        folder: the directory.
        corpus: `CleanPairs` to train on; or paths of text for a language model.
        valid: validation pairs; None to hold some of the corpus out; or paths of text.
        config: the `RunConfig`; what the tokenizers say about the model is filled in.
        begun: the `Run` whose tokenizers and weights to begin with.
    """
    if config.is_language_model:
        tokenizers, config = prepare_text(folder, corpus, valid, config, begun)
    else:
        tokenizers, config = prepare_pairs(folder, corpus, valid, config, begun)
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


def prepare_pairs(folder, corpus, valid, config, begun=None):
    """Fill a folder with the stores of pairs; the tokenizers, and the `RunConfig`."""
    data = config.data
    train = corpus
    (folder / "data").mkdir()
    corpus.report.held_out = 0  # not what another training of it held out
    if valid is None and data.valid_size != 0:
        train, valid = held_out(corpus, data.valid_size, config.training.seed)
        if valid is not None:
            corpus.report.held_out = write_rows(folder / HELD_OUT, valid)
    say(str(corpus.report))
    write_json(folder / CLEANED, vars(corpus.report))
    count = len(corpus) - corpus.report.held_out
    if begun:
        tokenizers = begun.tokenizers
    else:
        lines = f"{2 * count:,} sentences"
        with doing(f"learning the vocabulary of {lines}", unit="read"):
            tokenizers = train_tokenizers(train, data)
    for name, pairs, total in (("train", train, count), ("valid", valid, None)):
        if pairs is not None:
            place = folder / "data" / name
            with doing(f"cutting {name} into tokens", total, "pairs"):
                store = TokenStore.build(place, pairs, *tokenizers, config=data)
            say(spelled(f"{name}: {store.report}"))
    if config.training.monitor == "bleu":
        config = keep_translated(folder, valid, config)
    source, target = tokenizers
    model = dataclasses.replace(
        config.model,
        share_embeddings=data.share_embeddings,
        source_vocab_size=source.vocab_size,
        target_vocab_size=target.vocab_size,
        **target.special.fields,
    )
    earlier = begun.config if begun else config
    config = dataclasses.replace(
        config,
        model=model,
        origin=earlier.origin,
        languages=earlier.languages or corpus.languages,
    )
    return tokenizers, config


def keep_translated(folder, valid, config):
    """Write down the pairs that BLEU is measured with; the config says how it cuts."""
    translated = list(itertools.islice(valid, BLEU_SENTENCES))
    write_json(folder / TRANSLATED, translated)
    references = [reference for _, reference in translated]
    chosen = chosen_tokenize(config.training.bleu_tokenize, references)
    training = dataclasses.replace(config.training, bleu_tokenize=chosen)
    return dataclasses.replace(config, training=training)


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


def write_rows(path, pairs):
    """Write pairs as JSON lines, which `read_pairs` reads; how many there are."""
    count = 0
    with path.open("w", encoding="utf-8") as file:
        for source, target in pairs:
            row = {"source": source, "target": target}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            count += 1
    return count


def train_tokenizers(pairs, data):
    """The tokenizers of both sides of pairs: one object if they share a vocabulary."""
    markup = Markup.of(data)

    def learned(lines):
        if markup is not None:
            lines = (markup.protect(line)[0] for line in lines)
        return Tokenizer.train(
            lines, data.vocab_size, data.tokenizer, data.byte_fallback, markup
        )

    if data.share_embeddings:
        shared = learned(itertools.chain.from_iterable(pairs))
        return shared, shared
    return [learned(map(operator.itemgetter(side), pairs)) for side in (0, 1)]
