"""What commands print: a row for each translation; where a new run is."""

import itertools
import warnings


def rows_of(translator, lines, alignments, token_scores, at_once=False, numbers=None):
    """What to print of each line: a list of rows, one for each hypothesis.

    Args:
        translator: a `BaseTranslator`; for alignments, a `Translator`.
        lines: sentences.
        alignments: whether to give the word alignments.
        token_scores: whether to give the log-probability of each token.
        at_once: whether to answer each line before the next is read.
        numbers: the numbers of the lines; from 1 on by default.
    """
    config = translator.config
    pieces = translator.target_tokenizer.pieces if token_scores else None
    numbers = iter(numbers or itertools.count(1))
    groups = ([line] for line in lines) if at_once else [lines]
    for group in groups:
        asked, sources = itertools.tee(group)
        found = translator.stream(asked, token_scores=token_scores)
        # The numbers come last: the end of a group must not use one up.
        results = zip(sources, found, numbers)
        while batch := list(itertools.islice(results, config.batch_size)):
            links = itertools.repeat(None)
            if alignments:
                texts = [source for source, several, _ in batch for _ in several]
                targets = [one for _, several, _ in batch for one in several]
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # the search has warned already
                    links = iter(translator.alignments(texts, targets))
            for _, hypotheses, number in batch:
                shown = number if config.n_best > 1 else None
                yield [row(one, next(links), shown, pieces) for one in hypotheses]


def say_where(run):
    """Say where a new run is, and what to type next."""
    print(f"The run is in {run}. Next:")
    print(f"  keras-transformer translate {run} 'A sentence.'")


def row(hypothesis, links=None, number=None, pieces=None):
    """A hypothesis as columns: number, score, text, alignment, tokens.

    Args:
        hypothesis: a `Hypothesis`.
        links: its alignment, to be written in Pharaoh's format, `0-0 1-2`: numbers of
            source and target words, from 0.
        number: that of the sentence, if it has several hypotheses.
        pieces: the target's vocabulary, if each token is to be shown with its
            log-probability.
    """
    columns = []
    if number is not None:
        columns = [str(number), f"{hypothesis.score:.4f}"]
    # A model that spells bytes may write line breaks, but line n translates line n.
    text = " ".join(hypothesis.text.splitlines())
    if (number, links, pieces) != (None, None, None):
        text = text.replace("\t", " ")
    columns.append(text)
    if links is not None:
        columns.append(" ".join(f"{source}-{target}" for source, target in links))
    if pieces is not None:
        scores = zip(hypothesis.ids, hypothesis.token_scores, strict=True)
        columns.append(" ".join(f"{pieces[id]}:{score:.4f}" for id, score in scores))
    return "\t".join(columns)
