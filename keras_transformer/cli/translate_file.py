"""Translate a document, a file in a format of its own."""

import os
from pathlib import Path

from ..config import expect
from ..documents.formats import OTHERS, PARAGRAPHS, format_of
from ..process.flag_names import flag
from ..runs.sealed_files import read_json
from ..text.opened import ending_of
from .output import check_not_read

FLAGS = {
    "--paragraphs": dict(
        action="store_true", help="--input is plain text in paragraphs, not in lines"
    ),
    "--column": dict(
        metavar="NAME",
        help="column or key of sentences: .csv, .tsv, .jsonl; with --bulk .parquet",
    ),
    "--into": dict(
        metavar="NAME",
        help="column of translations, with --column (default: translation)",
    ),
    "--review": dict(
        metavar="FILE", help="also write the translated texts, least certain first"
    ),
}
TABLES = ("CSV", "TSV", "JSON lines")
# What lines cannot be written to.
STRUCTURED = ("PO", "XLIFF", "TMX", "JSON lines", "HTML")


def document_kind(options):
    """The format of the document that the options name; None for lines of text."""
    kind = format_of(options.input or "")
    if options.paragraphs:
        must = "be given with --paragraphs"
        expect(options.input, "--input", must, options.input)
        expect(kind is None, "--paragraphs", f"be absent with {kind}", options.input)
        kind = PARAGRAPHS
    is_table = kind in TABLES
    must = f"be absent without --bulk or {', '.join(TABLES)}"
    for name in ("column", "into"):
        value = getattr(options, name)
        is_used = is_table or options.bulk and name == "column"
        expect(is_used or value is None, flag(name), must, value)
    if kind is None:
        must = "be absent without a document as --input"
        expect(options.review is None, "--review", must, options.review)
        found = format_of(options.output or "")
        must = f"have the format of --output, {found}"
        expect(found not in STRUCTURED, "--input", must, options.input)
        ending = ending_of(options.input or "")
        must = f"be lines of text or a document, which {ending} is not"
        expect(ending not in OTHERS, "--input", must, options.input)
    return kind


def check_options(options, kind):
    """Raise a `ValueError` if a document cannot be translated as the options say."""
    text = options.text
    expect(not text, "TEXT", f"be absent with {kind}", text)
    output = options.output
    expect(output, "--output", f"be given with {kind}", output)
    found = format_of(output)
    fits = found == kind or kind == PARAGRAPHS and found is None
    expect(fits, "--output", f"have the format of --input, {kind}", output)
    for name in ("bulk", "alignments", "token_scores", "prefix_file"):
        value = getattr(options, name)
        expect(not value, flag(name), f"be absent with {kind}", value)
    is_told = kind not in TABLES or options.column
    expect(is_told, "--column", f"be given with {kind}", options.column)
    check_not_read("--output", output, [options.input])
    review = options.review
    if review is not None:
        others = map(os.path.realpath, (options.input, output))
        is_other = os.path.realpath(review) not in others
        expect(is_other, "--review", "differ from --input and --output", review)
        must = "be that of a file in an existing directory"
        expect(Path(review).parent.is_dir(), "--review", must, review)


def translate_file(options, kind, load_translator):
    """Translate the document of a kind that the options name.

    `load_translator` makes a `BaseTranslator` of the options.
    """
    check_options(options, kind)
    from ..documents.translate import translate_document

    translator = load_translator(options)
    n_best = translator.config.n_best
    expect(n_best == 1, "--n-best", f"be 1 with {kind}", n_best)
    languages = read_json(Path(options.run) / "config.json").get("languages")

    def translate(sentences):
        prefixes = None
        if options.prefix is not None:
            prefixes = [options.prefix] * len(sentences)
        return translator.stream(sentences, prefixes, token_scores=bool(options.review))

    translate_document(
        options.input,
        options.output,
        translate,
        kind,
        options.column,
        options.into or "translation",
        languages,
        options.review,
        translator.markup,
    )
