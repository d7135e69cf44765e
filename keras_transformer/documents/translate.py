"""Translate a document: open, translate its segments, write it back, look again."""

import contextlib
import gzip
import zlib

from ..config import expect
from ..runs.bars import doing
from ..runs.extras import needed
from ..runs.sealed_files import check_regular, new_file

needed("translate", "pysbd", "markdown_it", "docutils", extra="documents")

from .document import Options, spliced  # noqa: E402
from .formats import PARAGRAPHS, format_of  # noqa: E402
from .html import HTML  # noqa: E402
from .json_lines import JSONLines  # noqa: E402
from .markdown import Markdown  # noqa: E402
from .paragraphs import Paragraphs  # noqa: E402
from .po import PO  # noqa: E402
from .rst import RST  # noqa: E402
from .sentences import pieces_of, splitter_for  # noqa: E402
from .tables import CSV, TSV  # noqa: E402
from .tmx import TMX  # noqa: E402
from .xliff import XLIFF  # noqa: E402

CLASSES = {
    "PO": PO,
    "XLIFF": XLIFF,
    "TMX": TMX,
    "CSV": CSV,
    "TSV": TSV,
    "JSON lines": JSONLines,
    "Markdown": Markdown,
    "reStructuredText": RST,
    "HTML": HTML,
    PARAGRAPHS: Paragraphs,
}
LARGEST = 1 << 28  # bytes of a document, which is in memory as a whole
REVIEW = ("score", "place", "source", "translation")


def translate_document(
    source,
    output,
    translate,
    kind=None,
    column=None,
    into="translation",
    languages=None,
    review=None,
):
    """Translate what is not translated in a document, and write it as it came.

    Args:
        source: the document, plain or `.gz`; its name says its format.
        output: where to write it.
        translate: a list of sentences -> an iterable of lists of `Hypothesis`, with
            token scores if `review` is given.
        kind: a name of `CLASSES`; by default that of the file's name.
        column: the column or key of the source in CSV, TSV and JSON lines.
        into: that of the translation, added where there is none.
        languages: the codes of source and target language, if they are known.
        review: a `.tsv` file to write: the translated segments, least certain first.

    Raises:
        ValueError: if the document is not of its format, or cannot be written back
            with all else as it is.
    """
    make = CLASSES[kind or format_of(source)]
    options = Options(column, into, tuple(languages or (None, None)))
    with contextlib.ExitStack() as opened:
        file = opened.enter_context(new_file(output))
        review_file = review and opened.enter_context(new_file(review))
        document = make(source, read_bytes(source), options)
        splitter = splitter_for(document.language or options.languages[0])
        pieces = [list(pieces_of(one, splitter)) for one in document.segments]
        best = best_of(document, pieces, translate)
        rows = []
        for segment, own in zip(document.segments, pieces):
            found = [best[document.plain(text)] for *_, text in own]
            changes = joined(document, segment, own, found)
            document.fill(segment, changes)
            rows.append((certainty(found), segment, spliced(segment.text, changes)))
        data = document.data()
        check(document, make(output, data, options))
        file.buffer.write(data)
        if review:
            write_review(review_file, rows)


def best_of(document, pieces, translate):
    """The best `Hypothesis` of each sentence among the pieces."""
    texts = [document.plain(text) for own in pieces for *_, text in own]
    sentences = list(dict.fromkeys(texts))
    with doing("translating", len(sentences), "sentences"):
        hypotheses = [found[0] for found in translate(sentences)]
    return dict(zip(sentences, hypotheses, strict=True))


def read_bytes(path):
    """The bytes of a file, plain or `.gz`."""
    try:
        check_regular(path)
        opened = gzip.open if str(path).endswith(".gz") else open
        with opened(path, "rb") as file:
            data = file.read(LARGEST + 1)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        message = f"{path} must be a readable file; received {reason}"
        raise ValueError(message) from None
    must = f"have at most {LARGEST:,} bytes"
    expect(len(data) <= LARGEST, path, must, "more")
    return data


def joined(document, segment, pieces, hypotheses):
    """The translated pieces of a segment, as `Document.fill` takes them."""
    changes = []
    for (start, end, source), found in zip(pieces, hypotheses):
        new = " ".join(found.text.split())
        text = document.written(segment, new) if new else source
        # Chinese and Japanese have no space between sentences.
        if changes and changes[-1][1] == start and changes[-1][2][-1:].isascii():
            text = f" {text}"
        changes.append((start, end, text))
    return changes


def certainty(hypotheses):
    """The mean log-probability of all tokens; 0 without any."""
    scores = [score for one in hypotheses for score in one.token_scores]
    return sum(scores) / max(1, len(scores))


def check(document, again):
    """Raise a `ValueError` unless a written document has kept its structure."""
    filled = {segment.key for segment in document.segments}
    before = document.structure(filled)
    after = again.structure(filled)
    if before == after:
        return
    differing = [pair for pair in zip(before, after) if pair[0] != pair[1]]
    was, found = differing[0] if differing else (len(before), len(after))
    what = f"keep its structure in translation: {was!r}"
    expect(False, document.path, what, found)


def write_review(file, rows):
    """Write the segments, least certain first, as tab-separated columns."""
    print(*REVIEW, sep="\t", file=file)
    for score, segment, translation in sorted(rows, key=score_of):
        texts = [segment.place, segment.text, translation]
        print(f"{score:.4f}", *map(in_one_cell, texts), sep="\t", file=file)


def score_of(row):
    return row[0]


def in_one_cell(text):
    """A text without the tabs and line breaks that would end a cell or a row."""
    return " ".join(text.split())
