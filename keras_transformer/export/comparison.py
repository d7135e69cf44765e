"""Whether an export answers as the model that it was made of."""

import dataclasses

import numpy as np
from keras import ops

from ..config import expect
from ..decoding.batching import pad
from ..process.bars import describe
from ..text.sentence_format import SentenceFormat
from ..text.special_tokens import END

# Sentences and tokens of the batches that are compared.
SHAPES = ((1, 5), (4, 19))
# Relative to the largest logit where that is above 1.
LOGITS_TOLERANCE = 1e-5
OF_LOGITS = "logits, relative to the largest"


@dataclasses.dataclass(frozen=True)
class Check:
    """How far an export's answers are from those of the model it was made of."""

    of: str  # what was compared
    # Sentences and source tokens of each comparison.
    shapes: tuple[tuple[int, int], ...]
    largest_difference: float
    tolerance: float

    def __post_init__(self):
        difference = self.largest_difference
        must = f"give the model's {self.of} within {self.tolerance:g}"
        # NaN is refused as well.
        expect(difference <= self.tolerance, "the export", must, difference)

    def __str__(self):
        found = f"largest difference of {self.of}: {self.largest_difference:.2g}"
        return f"{found} (at most {self.tolerance:g} allowed)"


@dataclasses.dataclass(frozen=True)
class CheckBatch:
    """Sentences and their would-be translations, as texts and as the model's inputs."""

    sources: list[str]
    targets: list[str]
    # `source_ids (B, S)` and `target_ids (B, T)`.
    inputs: dict[str, np.ndarray]

    @property
    def shape(self):
        return self.inputs["source_ids"].shape


def check_batches(run, longest=None):
    """Batches of about the `SHAPES`: random pieces, and always the same ones.

    No row has more than `longest` tokens, as many as the model reads when absent.
    """
    source, target = run.tokenizers
    form = SentenceFormat.of(source, target)
    around = max(form.around_source, form.around_labels)
    longest = longest or run.config.model.longest or 4 * SHAPES[-1][1]
    limit = longest - around
    random = np.random.default_rng(0)

    batches = []
    for shape in SHAPES:
        sources = random_texts(random, source, shape, limit)
        targets = random_texts(random, target, shape, limit)
        labels = [form.labels(ids) for ids in target.encode(targets)]
        inputs = {
            "source_ids": [form.source(ids) for ids in source.encode(sources)],
            "target_ids": [form.target(row) for row in labels],
        }
        for name, rows in inputs.items():
            width = max(map(len, rows))
            inputs[name] = pad(rows, len(rows), width, form.special.pad)
        batches.append(CheckBatch(sources, targets, inputs))
    return batches


def random_texts(random, tokenizer, shape, limit):
    """Texts of random pieces, none of which has more than `limit` tokens."""
    texts = []
    ids = random.integers(END + 1, tokenizer.vocab_size, shape)
    for text in tokenizer.decode(ids):
        # Other pieces may come of it than went in.
        while len(tokenizer.encode([text])[0]) > limit:
            text = text[: len(text) // 2]
        texts.append(text.strip() or "a")
    return texts


def compare(of, tolerance, batches, answers):
    """The `Check` of an export.

    Args:
        of: what is compared, in words.
        tolerance: the largest difference that is allowed.
        batches: what `check_batches` gave; or arrays of ids.
        answers: a function of a batch that gives the model's numbers and the export's.
    """
    describe(f"comparing the {of.partition(',')[0]} with the model's")
    shapes = []
    differences = []
    for batch in batches:
        ours, theirs = answers(batch)
        shapes.append(batch.shape)
        differences.append(np.abs(np.subtract(theirs, ours)).max())
    return Check(of, tuple(shapes), float(np.max(differences)), tolerance)


def compare_numbers(batches, ours, theirs):
    """The `Check` of logits, given two functions of a batch."""

    def answers(batch):
        logits = ops.convert_to_numpy(ours(batch))
        scale = max(1.0, np.abs(logits).max())
        return logits / scale, theirs(batch) / scale

    return compare(OF_LOGITS, LOGITS_TOLERANCE, batches, answers)


def compare_rows(model, logits):
    """The `Check` of an export of a `CausalLM`, given as a function of ids."""
    config = model.config
    longest = config.longest or SHAPES[-1][1]
    random = np.random.default_rng(0)
    batches = []
    for rows, length in SHAPES:
        shape = (rows, min(length, longest))
        ids = random.integers(0, config.vocab_size, shape, dtype="int32")
        # What begins a document here begins none for others.
        ids[ids == config.begin_id] = (config.begin_id + 1) % config.vocab_size
        batches.append(ids)
    return compare_numbers(batches, model, logits)


def compare_logits(run, model, logits, longest=None):
    """The `Check` of an export, given as a function of source ids and target ids.

    It reads at most `longest` tokens, as many as the model when absent.
    """

    def ours(batch):
        return model(batch.inputs)

    def theirs(batch):
        return logits(**batch.inputs)

    return compare_numbers(check_batches(run, longest), ours, theirs)
