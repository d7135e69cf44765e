"""Which files are documents; without what reads them."""

from ..text.opened import ending_of

FORMATS = {
    ".po": "PO",
    ".pot": "PO",
    ".xlf": "XLIFF",
    ".xliff": "XLIFF",
    ".sdlxliff": "XLIFF",
    ".mqxliff": "XLIFF",
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
# What is no text and no document: a sentence a line would be nonsense.
OTHERS = set(
    ".ass .gmo .idml .json .lrc .mo .plist .properties .qph .resx .sbv .srt .strings "
    ".sub .tbx .toml .ts .ttml .utx .vtt .xml .yaml .yml".split()
)


def format_of(path):
    """The format of a file by its name, plain or packed; None for lines and others.

    Example:
        >>> format_of("messages.po.gz")
        'PO'
    """
    return FORMATS.get(ending_of(path))
