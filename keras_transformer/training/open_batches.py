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
    # The loss of R-Drop compares rows in validation, too.
    passes = 2 if training.r_drop else 1
    options = {}
    if training.word_dropout:  # of pairs alone
        options["word_dropout"] = training.word_dropout
    batches = batches_of(
        run,
        "train",
        seed=training.seed,
        bpe_dropout=training.bpe_dropout,
        accumulation=training.gradient_accumulation,
        shard=distribution.shard,
        passes=passes,
        **options,
    )
    held_out = None
    if (run.path / "data" / "valid").exists():
        held_out = batches_of(
            run, "valid", shuffle=False, shard=distribution.shard, passes=passes
        )
    return batches, held_out


def batches_of(run, name, seed=0, bpe_dropout=0.0, **options):
    """The batches of one of a run's stores, `"train"` or `"valid"`.

    The options are those of the batches' class.
    """
    data = run.config.data
    place = run.path / "data" / name
    if run.config.is_language_model:
        return PackedBatches(
            DocumentStore.open(place),
            run.tokenizers[0].special,
            data.max_length,
            data.batch_tokens,
            seed,
            **options,
        )
    store = TokenStore.open(place)
    options["sentence_format"] = SentenceFormat.of(*run.tokenizers)
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
