"""How well a language model predicts a text."""

import dataclasses
import math
from pathlib import Path

from ..config import expect
from ..data.documents import DocumentStore, read_documents
from ..data.packed import WholeDocuments
from ..models.kinds import model_of
from ..process.bars import doing
from ..runs.archive import quantize
from ..runs.run import Run
from ..training.recipe import compile_for_training


@dataclasses.dataclass(frozen=True)
class TextScores:
    """What `perplexity` gives: per token, ends of documents counted."""

    nats: float
    perplexity: float
    tokens: int

    def __str__(self):
        return f"perplexity {self.perplexity:.3f} ({self.nats:.4f} nats a token)"


def perplexity(run, text):
    """The perplexity of a run's language model on text files, kept for its card.

        perplexity = exp(-sum_t log p(token_t | tokens before it in its document) / n)

    Each line is a document, as in `train`. One that is longer than the `max_length` of
    the run is cut into parts of that length, each without the ones before it. Numbers
    of models with different tokenizers cannot be compared.

    Args:
        run: the directory of a run, or a `Run`.
        text: a path, plain or packed, or a list of paths.

    Returns:
        the `TextScores`.

    Raises:
        ValueError: if a file cannot be read or has no text, or the run holds no
            language model.

    Source: Jelinek et al. 1977.
    """
    run = run if isinstance(run, Run) else Run.open(run)
    run.check_kind(is_language_model=True)
    paths = text if isinstance(text, (list, tuple)) else [text]
    expect(paths, "text", "be at least one file", paths)
    digest = run.model_digest()
    tokenizer = run.tokenizers[0]
    data = run.config.data
    with doing("measuring the perplexity"):
        store = DocumentStore.from_texts(read_documents(paths), tokenizer)
        batches = WholeDocuments(
            store,
            tokenizer.special,
            data.max_length,
            data.batch_tokens,
            shuffle=False,
        )
        model = packable(run.model(), run.config.quantization)
        logs = model.evaluate(batches, return_dict=True, verbose=0)
    tokens = store.report.tokens + store.report.documents
    nats = logs["nats"]
    scores = TextScores(nats, math.exp(min(nats, 700.0)), tokens)
    names = [Path(path).name for path in paths]
    test = ", ".join([*names, f"{tokens:,} tokens"])
    run.note_scores(digest, test, dataclasses.asdict(scores))
    return scores


def packable(model, quantization=None):
    """The same model, compiled, for rows of several documents."""
    config = model.config
    if not config.separate_documents:
        config = dataclasses.replace(config, separate_documents=True)
        other = model_of(config, model.dtype_policy)
        if quantization is not None:
            quantize(other, quantization)
        other.set_weights(model.get_weights())
        model = other
    return compile_for_training(model, loss_reduction="sum")
