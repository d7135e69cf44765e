"""What `translate` prints: a line for each translation."""

import itertools
import warnings


def one_line(text):
    """The text without line breaks, which a model that spells bytes may write: line n stays the translation of n."""
    return " ".join(text.splitlines())


def rows_of(
    translator,
    lines,
    alignments=False,
    token_scores=False,
    at_once=False,
    first=1,
    step=1,
):
    """What to print of each line: a list of rows, one for each hypothesis.

    Args:
        translator, lines, alignments, token_scores, at_once: as in `translations`.
        first, step: the number of the first line, and how far apart those of the lines
            are.
    """
    pieces = translator.target_tokenizer.pieces if token_scores else None
    found = translations(translator, lines, alignments, token_scores, at_once)
    for number, (hypotheses, links) in zip(itertools.count(first, step), found):
        shown = number if translator.config.n_best > 1 else None
        yield [
            row(*pair, shown, pieces) for pair in zip(hypotheses, links, strict=True)
        ]


def translations(
    translator, lines, alignments=False, token_scores=False, at_once=False
):
    """The hypotheses of each line, and their word alignments, None if not asked for.

    Args:
        translator: an `BaseTranslator`; for alignments, a `Translator`.
        lines: sentences.
        alignments, token_scores: what to give beside the translations.
        at_once: whether each line is to be answered before the next is read.
    """
    lines, sources = itertools.tee(lines)
    if at_once:
        found = (
            translator.hypotheses([line], token_scores=token_scores)[0]
            for line in lines
        )
    else:
        found = translator.stream(lines, token_scores)
    size = 1 if at_once else translator.config.batch_size
    pairs = zip(sources, found)
    while alignments and (chunk := list(itertools.islice(pairs, size))):
        texts = [source for source, hypotheses in chunk for _ in hypotheses]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of long sentences the search has warned
            links = iter(
                translator.alignments(
                    texts, [h for _, hypotheses in chunk for h in hypotheses]
                )
            )
        for _, hypotheses in chunk:
            yield hypotheses, [next(links) for _ in hypotheses]
    for _, hypotheses in pairs:
        yield hypotheses, [None] * len(hypotheses)


def row(hypothesis, links=None, number=None, pieces=None):
    """The line of one hypothesis, its columns separated by tabs: number and score, text, alignment, tokens.

    Args:
        hypothesis: a `Hypothesis`.
        links: its alignment, which is written in Pharaoh's format, `0-0 1-2`: source
            word, target word, from 0.
        number: that of the sentence, if it has several hypotheses.
        pieces: the target's vocabulary, if each token is to be shown with its
            log-probability.
    """
    columns = [] if number is None else [str(number), f"{hypothesis.score:.4f}"]
    columns.append(one_line(hypothesis.text))
    if (number, links, pieces) != (None, None, None):
        columns[-1] = columns[-1].replace("\t", " ")
    if links is not None:
        columns.append(" ".join(f"{source}-{target}" for source, target in links))
    if pieces is not None:
        scored = zip(hypothesis.tokens, hypothesis.token_scores, strict=True)
        columns.append(
            " ".join(f"{pieces[token]}:{score:.4f}" for token, score in scored)
        )
    return "\t".join(columns)
