"""What commands print: a row for each translation; where a new run is."""

import itertools
import json
import os
import warnings

from ..config import expect


def rows_of(
    translator,
    lines,
    alignments,
    token_scores,
    prefixes=None,
    at_once=False,
    numbers=None,
):
    """What to print of each line: a list of rows, one for each hypothesis.

    With `at_once` each line is answered before the next is read. The `numbers` of the
    lines are counted from 1 by default.
    """
    columns = dict(alignments=alignments, token_scores=token_scores)
    chunks = [(lines, prefixes)]
    if at_once:
        wishes = itertools.repeat("") if prefixes is None else prefixes
        chunks = (([line], prefixes and [wish]) for line, wish in zip(lines, wishes))
    answers = (translator.stream(*chunk, **columns) for chunk in chunks)
    found = itertools.chain.from_iterable(answers)
    places = numbers or itertools.count(1)
    is_numbered = translator.config.n_best > 1
    pieces = translator.target_tokenizer.pieces if token_scores else None

    def rows(hypotheses, place):
        number = place if is_numbered else None
        lost = hypotheses[0].lost
        if lost:
            said = f"line {place}: the translation lacks {', '.join(lost)}"
            warnings.warn(said, stacklevel=2)
        links = [one.alignment if alignments else None for one in hypotheses]
        pairs = zip(hypotheses, links)
        return [row(one, own, number, pieces) for one, own in pairs]

    return map(rows, found, places)


def check_not_read(name, path, read):
    """Raise a `ValueError` if a file to write is one that is read: it would be lost.

    Args:
        name: of the argument.
        path: of the file to write; nothing is checked if it is None.
        read: the paths of those that are read, some of them None.
    """
    if path is None:
        return
    places = [os.path.realpath(one) for one in read if one is not None]
    is_other = os.path.realpath(path) not in places
    expect(is_other, name, "not be a file that is read", str(path))


def say_where(run, is_language_model=False):
    """Say where a new run is, and what to type next."""
    print(f"The run is in {run}. Next:")
    if is_language_model:
        print(f"  keras-transformer generate {run} 'A prompt'")
        print(f"  keras-transformer evaluate {run} --text FILE")
        return
    print(f"  keras-transformer translate {run} 'A sentence.'")
    print(f"  keras-transformer evaluate {run} --source SOURCE --target TARGET")
    print(f"  keras-transformer export {run} EXPORT --to ctranslate2")


def row(hypothesis, links=None, number=None, pieces=None):
    """A hypothesis as columns: number, score, text, alignment, tokens.

    The alignment, `links`, is written in Pharaoh's format, `0-0 1-2`. With `pieces`,
    the target's vocabulary, each token is shown with its log-probability, `token:-0.1`,
    and a space between two.
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
        tokens = [f"{escaped(pieces[id])}:{score:.4f}" for id, score in scores]
        columns.append(" ".join(tokens))
    return "\t".join(columns)


def escaped(piece):
    """A piece as JSON writes it between quotes, with all escaped that is not visible.

    Example:
        >>> print(escaped('a\\t"'))
        a\\t\\"
    """
    text = json.dumps(piece, ensure_ascii=False)[1:-1].replace(" ", "\\u0020")
    for character in piece:
        if not character.isprintable():
            text = text.replace(character, json.dumps(character)[1:-1])
    return text
