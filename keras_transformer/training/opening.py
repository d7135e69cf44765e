"""The batches of a run that is ready to train: of pairs, or of text."""

from ..data.batches import TokenBatches
from ..data.documents import DocumentStore
from ..data.packed import PackedBatches
from ..data.sampled import SampledBatches
from ..data.store import TokenStore
from ..distribution.distribution import ONE_DEVICE
from ..text.sentence_format import SentenceFormat


def open_batches(run, training, distribution=ONE_DEVICE):
    """The batches of a run's training data, and of its validation data (or None)."""
    steps = training.gradient_accumulation
    # The loss of R-Drop compares rows in validation, too.
    common = dict(shard=distribution.shard, passes=2 if training.r_drop else 1)
    options = dict(accumulation=steps, bpe_dropout=training.bpe_dropout)
    if training.word_dropout:
        options |= dict(word_dropout=training.word_dropout)
    batches = batches_of(run, "train", training.seed, **options, **common)
    held_out = None
    if (run.path / "data" / "valid").exists():
        held_out = batches_of(run, "valid", shuffle=False, **common)
    return batches, held_out


def batches_of(run, name, seed=0, bpe_dropout=0.0, **options):
    """The batches of one of a run's stores, `"train"` or `"valid"`."""
    data = run.config.data
    place = run.path / "data" / name
    if run.config.is_language_model:
        special = run.tokenizers[0].special
        return PackedBatches(
            DocumentStore.open(place),
            special,
            data.max_length,
            data.batch_tokens,
            seed,
            **options,
        )
    store = TokenStore.open(place)
    options |= dict(sentence_format=SentenceFormat.of(*run.tokenizers))
    if bpe_dropout:
        return SampledBatches(
            store,
            run.tokenizers,
            bpe_dropout,
            data.max_length,
            data.batch_tokens,
            seed,
            **options,
        )
    return TokenBatches(store, data.batch_tokens, seed, **options)
