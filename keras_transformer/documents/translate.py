"""Translate a document: open, translate its segments, write it back, look again."""

import contextlib
import operator
import warnings

from ..process.bars import doing
from ..process.extras import needed
from ..runs.sealed_files import new_file
from ..text.normalization import has_text
from ..text.opened import read_whole

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
    markup=None,
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
        markup: the `Markup` that `translate` copies, if it does.

    Raises:
        ValueError: if the document is not of its format, or cannot be written back
            with all else as it is.
    """
    make = CLASSES[kind or format_of(source)]
    options = Options(column, into, tuple(languages or (None, None)))
    with contextlib.ExitStack() as files:
        file = files.enter_context(new_file(output))
        review_file = review and files.enter_context(new_file(review))
        data = read_whole(source, source)
        document = make(source, data, options)
        for remark in document.remarks:
            warnings.warn(f"{source}: {remark}", stacklevel=2)
        splitter = splitter_for(document.language or options.languages[0])
        pieces = [
            list(pieces_of(segment, splitter, markup, document.plain))
            for segment in document.segments
        ]
        best = best_of(document, pieces, translate)
        changes = []
        rows = []
        for segment, own in zip(document.segments, pieces):
            found = [best[document.plain(text)] for *_, text in own]
            where = f"{source}, {segment.place}"
            warn_of_lost(where, found)
            warn_of_nothing(where, own, found)
            changes.append(joined(document, segment, own, found))
            new = spliced(segment.text, changes[-1])
            if found:
                rows.append((certainty(found), segment, new))

        def remake(content):
            return make(source, content, options)

        file.buffer.write(checked(document, data, changes, remake))
        if review:
            write_review(review_file, rows)


def warn_of_lost(where, hypotheses):
    """Say which marks the translations of a segment lack."""
    lost = [mark for one in hypotheses for mark in one.lost]
    if lost:
        said = f"{where}: the translation lacks {', '.join(lost)}"
        warnings.warn(said, stacklevel=3)


def warn_of_nothing(where, pieces, hypotheses):
    """Say which sentences of a segment the model translates by nothing."""
    for (*_, text), found in zip(pieces, hypotheses):
        if not has_text(found.text):
            said = f"{where}: the translation of {text!r} is empty; the source stays"
            warnings.warn(said, stacklevel=3)


def best_of(document, pieces, translate):
    """The best `Hypothesis` of each sentence among the pieces."""
    texts = [document.plain(text) for own in pieces for *_, text in own]
    sentences = list(dict.fromkeys(texts))
    with doing("translating", len(sentences), "sentences"):
        hypotheses = [found[0] for found in translate(sentences)]
    return dict(zip(sentences, hypotheses, strict=True))


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
    """The mean log-probability of all tokens; 0 where none is known."""
    scores = [score for one in hypotheses for score in one.token_scores]
    return sum(scores) / max(1, len(scores))


def checked(document, data, changes, remake):
    """The bytes of a document with the changes of its segments.

    `data` are its bytes as they are, and `remake` makes a document of such.

    Raises:
        ValueError: if something else changes; it names the first segment to blame.
    """
    written, keeps = filled(document, changes, remake)
    if keeps:
        return written
    good = 0
    bad = len(changes)
    while bad - good > 1:
        middle = (good + bad) // 2
        _, keeps = filled(remake(data), changes[:middle], remake)
        if keeps:
            good = middle
        else:
            bad = middle
    segment = document.segments[bad - 1]
    new = spliced(segment.text, changes[bad - 1])
    where = f"{document.path}, {segment.place},"
    must = f"keep its markup in translation: {segment.text!r}"
    raise ValueError(f"{where} must {must}; received {new!r}")


def filled(document, changes, remake):
    """A document's bytes with changes of its first segments; if it keeps all else."""
    pairs = list(zip(document.segments, changes))
    for segment, own in pairs:
        document.fill(segment, own)
    written = document.data()
    keys = {segment.key for segment, _ in pairs}
    try:
        return written, remake(written).structure(keys) == document.structure(keys)
    except ValueError:  # it cannot be read any more
        return written, False


def write_review(file, rows):
    """Write the segments, least certain first, as tab-separated columns."""
    print(*REVIEW, sep="\t", file=file)
    for score, segment, translation in sorted(rows, key=operator.itemgetter(0)):
        texts = [segment.place, segment.text, translation]
        print(f"{score:.4f}", *map(in_one_cell, texts), sep="\t", file=file)


def in_one_cell(text):
    """A text without the tabs and line breaks that would end a cell or a row."""
    return " ".join(text.split())
