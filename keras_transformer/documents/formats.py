"""Which files are documents; without what reads them."""

import os

FORMATS = {
    ".po": "PO",
    ".pot": "PO",
    ".xlf": "XLIFF",
    ".xliff": "XLIFF",
    ".tmx": "TMX",
    ".csv": "CSV",
    ".tsv": "TSV",
    ".jsonl": "JSON lines",
    ".ndjson": "JSON lines",
    ".md": "Markdown",
    ".markdown": "Markdown",
    ".rst": "reStructuredText",
    ".html": "HTML",
    ".htm": "HTML",
    ".xhtml": "HTML",
}
PARAGRAPHS = "paragraphs"


def format_of(path):
    """The format of a file by its name, plain or `.gz`; None for lines and others.

    Example:
        >>> format_of("messages.po.gz")
        'PO'
    """
    name = os.fspath(path).lower().removesuffix(".gz")
    return FORMATS.get(os.path.splitext(name)[1])
