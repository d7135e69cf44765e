"""Settings fitted to a corpus: what to train, by how much text there is."""

import collections
import dataclasses
import math
import re
from dataclasses import dataclass

from ..config import (
    SIZES,
    CausalLMConfig,
    DataConfig,
    TrainingConfig,
    TransformerConfig,
    expect,
    flag_fields,
    preset,
    resized,
)
from ..data.corpus import clean_pairs
from ..data.documents import read_documents
from ..process.flag_names import flag
from ..text.normalization import compose, has_text
from ..text.special_tokens import SpecialTokens
from .rules import FINE_TUNING, RULES

# Scripts without spaces between words: two characters count as a word.
UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff"
WORD = re.compile(rf"[{UNSPACED}]{{1,2}}|\d+|[^\W\d{UNSPACED}]+")
# Pairs whose words are counted; then of twice as many every second pair's, and so on.
SAMPLE = 200_000
SPECIAL = len(dataclasses.fields(SpecialTokens))
BYTES = 256
# How often a token occurs on average.
OFTEN = 30
# Target tokens of the batches, padding included, for each word: measured on captions.
TOKENS_A_WORD = 1.6
# A plan has at least this many times the updates of its warm-up.
WARMUPS = 4
TEXT_LENGTH = 256  # tokens in a row of a language model's training


@dataclass(frozen=True)
class CorpusSize:
    """How much text there is.

    Args:
        pairs: pairs with words on both sides.
        words: words a side, the mean of the two.
        characters: how many different ones.
        repeated: how many different words, of two characters or more, occur twice.
        sides: 2, or 1 for the text of a language model, whose pairs are its lines.
    """

    pairs: int
    words: int
    characters: int
    repeated: int
    sides: int = 2

    @classmethod
    def of(cls, corpus, sides=2):
        """Count tuples of lines, one of each side, read once."""
        pairs = 0
        words = 0
        characters = {" "}  # that before a sentence is a token
        seen = collections.Counter()
        stride = 1
        sampled = 0
        for number, pair in enumerate(corpus):
            lines = [compose(line) for line in pair]
            characters.update(*lines)
            if all(map(has_text, lines)):
                pairs += 1
            if number % stride == 0:
                words_of_pair = WORD.findall("\n".join(lines))
                words += stride * len(words_of_pair)
                seen.update(words_of_pair)
                sampled += 1
            if sampled == SAMPLE:
                sampled = 0
                stride *= 2
        # Tokens hold one digit or none; single letters are characters already.
        words_seen = [word for word in seen if len(word) > 1 and word.isalpha()]
        repeated = [word for word in words_seen if seen[word] > 1]
        return cls(pairs, words // sides, len(characters), len(repeated), sides)

    @property
    def described(self):
        """The counts, in words."""
        if self.sides == 1:
            return f"{self.pairs:,} documents, {self.words:,} words"
        return f"{self.pairs:,} pairs, {self.words:,} words a side"

    def vocabulary(self, wanted, data):
        """The size near the wanted one that the text supports, by a `DataConfig`.

        There may be one for each character and each word that occurs twice. Of unigrams
        the trainer finds a third as many; so does one that sees one side alone.
        """
        least = SPECIAL + self.characters
        if data.byte_fallback:
            least += BYTES
        text = self.sides * self.words
        repeated = self.repeated
        if data.tokenizer == "unigram":
            repeated //= 3
        if not data.share_embeddings:
            text //= 2
            repeated //= 3
        suitable = max(min(wanted, text // OFTEN), 2 * least)
        return max(8, min(suitable, least + repeated))


@dataclass(frozen=True)
class FittedSettings:
    """Three configs that suit a corpus, and why they are such.

    `flags` are the settings as the command takes them.
    """

    model: TransformerConfig | CausalLMConfig
    data: DataConfig
    training: TrainingConfig
    why: str
    flags: str

    def __str__(self):
        return f"{self.why}\nThe same settings as flags: {self.flags}"


def fitted_settings(
    source=None, target=None, begun=None, validated=True, text=None, **given
):
    """The settings of model, data and training that suit a corpus.

    Its pairs and words are counted, once they are cleaned. The rule is the table of
    `docs/settings.md`.

    Args:
        source, target: training sentences and translations: what `read_pairs` takes,
            or the `Pairs` that it gave.
        begun: the `RunConfig` of a run to fine-tune, which keeps its model and data.
        validated: whether there are validation pairs, given or drawn; without, nothing
            tells when to stop, and the epochs are a quarter.
        text: paths of the text of a language model, in place of source and target. The
            rule is the same, by words, with rows of 256 tokens.
        **given: what stands whatever the corpus: `preset`, and fields of
            `TransformerConfig` or `CausalLMConfig`, `DataConfig` and `TrainingConfig`.

    Returns:
        `FittedSettings`, whose `model`, `data` and `training` are for `train`.

    Raises:
        ValueError: if a file cannot be read, or for a name or value that is not known.

    Examples:
        >>> settings = fitted_settings(*captions("train"), epochs=20)
        >>> settings.model.d_model, settings.training.epochs
        (128, 20)

    Source: Vaswani et al. 2017, section 5; fairseq, examples/translation (IWSLT'14).
    """
    sides = 2 if text is None else 1
    filters = data_given(begun, validated, sides, **given)
    if text is None:
        corpus = clean_pairs(source, target, filters)
    else:
        corpus = zip(read_documents(text))
    size = CorpusSize.of(corpus, sides)
    return settings_for(size, begun, validated, **given)


def data_given(begun=None, validated=True, sides=2, **given):
    """The `DataConfig` before the pairs are read, when its filters are needed.

    A wrong setting is refused now.
    """
    any_size = CorpusSize(1000, 9000, 99, 999, sides)
    return settings_for(any_size, begun, validated, **given).data


def settings_for(size, begun=None, validated=True, **given):
    """The `FittedSettings` of a `CorpusSize`; the rest as in `fitted_settings`."""
    rule = rule_for(size, begun, validated, given)
    why = rule.pop("why")
    fields = rule | given
    size_name = fields.get("preset")
    plain = plain_configs(size, begun, size_name)
    known = {"preset"}.union(*map(flag_fields, plain))
    unknown = sorted(given.keys() - known)
    expect(not unknown, "given", "be names of settings", unknown)
    model, data, training = [replaced(config, fields) for config in plain]
    if "vocab_size" in rule and "vocab_size" not in given:
        vocab_size = size.vocabulary(rule["vocab_size"], data)
        data = dataclasses.replace(data, vocab_size=vocab_size)
    if "warmup_updates" not in given:
        most = max(1, planned_updates(size, data, training) // WARMUPS)
        warmup = min(most, rule["warmup_updates"])
        training = dataclasses.replace(training, warmup_updates=warmup)
    if "learning_rate_scale" not in given:
        scale = scale_for(training.warmup_updates, rule, model)
        training = dataclasses.replace(training, learning_rate_scale=scale)
    configs = (model, data, training)
    flags = flags_of(zip(configs, plain), rule)
    if size_name:
        flags.insert(0, f"--preset {size_name}")
    return FittedSettings(*configs, f"{size.described}: {why}.", " ".join(flags))


def rule_for(size, begun, validated, given):
    """The fields that suit a `CorpusSize` and what is given, and `why`."""
    fitting = [rule for least, rule in RULES.items() if size.words >= least]
    rule = dict(fitting[-1] if begun is None else FINE_TUNING)
    if size.sides == 1 and begun is None:
        rule["max_length"] = TEXT_LENGTH
    if not validated:
        rule["epochs"] //= 4
        rule.pop("patience", None)
    if "preset" in given:  # it keeps its sizes
        rule = {name: rule[name] for name in rule if name not in SIZES[:-1]}
    if given.get("dtype") == "mixed_float16":  # nothing accumulates in it
        rule.pop("gradient_accumulation", None)
    return rule


def plain_configs(size, begun, size_name):
    """The three configs before a rule: those of `begun`, or else of a preset."""
    if begun is None:
        kind = CausalLMConfig if size.sides == 1 else TransformerConfig
        return preset(size_name, kind), DataConfig(), TrainingConfig()
    model = begun.model
    if size_name:
        model = resized(model, size_name)
    return model, begun.data, TrainingConfig()


def scale_for(warmup_updates, rule, model):
    """The scale with which the learning rate has a rule's peak after that warm-up."""
    ratio = warmup_updates / rule["warmup_updates"]
    scale = rescaled(rule["learning_rate_scale"], ratio)
    if rule.get("norm_first") and not model.norm_first:
        scale /= 2  # the paper's layer norm bears less
    return scale


def replaced(config, fields):
    """A config with those of the fields that it has and that may be chosen."""
    names = fields.keys() & flag_fields(config).keys()
    return dataclasses.replace(config, **{name: fields[name] for name in names})


def planned_updates(size, data, training):
    """The number of updates that a plan has at most, roughly."""
    tokens = TOKENS_A_WORD * (size.words + size.pairs)
    batches = math.ceil(tokens / data.batch_tokens)
    updates = training.epochs * batches // training.gradient_accumulation
    return min(updates, training.max_updates or updates)


def flags_of(configs, rule):
    """The flags of what a rule says, and of what differs from the plain config."""
    flags = []
    for config, plain in configs:
        for name in flag_fields(config):
            value = getattr(config, name)
            is_chosen = name in rule or value != getattr(plain, name)
            if is_chosen and value is not None:
                flags.append(as_flag(name, value))
    return flags


def as_flag(name, value):
    """A setting as a flag of the command."""
    if isinstance(value, bool):
        return flag(name) if value else flag(f"no_{name}")
    return f"{flag(name)} {value}"


def chosen_by(*configs):
    """The fields of the configs that are there, which may be chosen."""
    chosen = {}
    for config in configs:
        if config is not None:
            chosen |= {name: getattr(config, name) for name in flag_fields(config)}
    return chosen


def rescaled(scale, ratio):
    """The scale that keeps the peak of the learning rate when the warm-up changes."""
    return float(f"{scale * math.sqrt(ratio):.3g}")
