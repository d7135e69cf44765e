"""Translate sentences with a trained run."""

import contextlib
import functools
import itertools
import os
import socket
import sys
from pathlib import Path

from ..config import DecodingConfig, check_only, expect, refused
from ..process.bars import awaited, doing, say
from ..runs.sealed_files import kind_of, new_file, read_json
from ..text.lines import count_lines, read_lines
from .flags import RUN, chosen_fields
from .output import check_not_read, rows_of
from .startup import choose_backend, silenced, start_keras
from .translate_file import FLAGS as DOCUMENT
from .translate_file import document_kind, translate_file

RUNTIME = {
    "--runtime": dict(
        choices=["keras", "ctranslate2"],
        help="what computes (default: ctranslate2 for an export of it, else keras)",
    )
}
GLOSSARY = {
    "--glossary": dict(
        metavar="FILE",
        help="terms to translate as told: source term, tab, target term, line by line",
    )
}
FLAGS = {
    **RUN,
    **RUNTIME,
    "text": dict(
        metavar="TEXT",
        nargs="*",
        help="sentences; runs that come first translate together with RUN",
    ),
    "--input": dict(
        help="sentences, one a line, or a document (PO, XLIFF, TMX, CSV, TSV, JSON "
        "lines, Markdown, reStructuredText, HTML), also as .gz (default: standard "
        "input)"
    ),
    "--output": dict(help="file to write, also as .gz (default: standard output)"),
    "--prefix": dict(metavar="WORDS", help="what each translation begins with"),
    "--prefix-file": dict(
        help="what each begins with, line by line; an empty line is no wish"
    ),
    **GLOSSARY,
    "--alignments": dict(
        action="store_true", help="add a column: word links, source-target from 0"
    ),
    "--token-scores": dict(
        action="store_true",
        help="add a column: token:log-probability in nats, tokens escaped as in JSON",
    ),
}
BULK = {
    "--bulk": dict(
        action="store_true", help="translate a large file in several processes (Ray)"
    ),
    "--workers": dict(
        type=int,
        metavar="N",
        help="processes of --bulk (default: one for each GPU, or else processor)",
    ),
    "--address": dict(help="Ray cluster of --bulk, or auto (default: this machine)"),
}
SEARCH = {"search": DecodingConfig}
GROUPS = {"a document": DOCUMENT, "a large file": BULK} | SEARCH
FIRST = (
    "--input",
    "--output",
    "--review",
    "--prefix",
    "--glossary",
    "--alignments",
    "--token-scores",
    "--runtime",
    "--search",
    "--beam",
    "--n-best",
    "--temperature",
    "--bulk",
)
ONLY = {
    "workers": ("bulk", True),
    "address": ("bulk", True),
    "prefix": ("runtime", "keras"),
    "prefix_file": ("runtime", "keras"),
    "alignments": ("runtime", "keras"),
    "glossary": ("runtime", "keras"),
}


def runtime_of(path):
    """The runtime of a run or an export."""
    with contextlib.suppress(ValueError):  # who opens it says what is wrong
        config = Path(path) / "config.json"
        if config.is_file() and read_json(config).get("format") == "ctranslate2":
            return "ctranslate2"
    return "keras"


def search_config(options):
    """The `DecodingConfig` that the options ask for."""
    chosen = chosen_fields(options, DecodingConfig)
    config = DecodingConfig(**chosen)
    check_only(config, chosen)
    return config


def load_translator(options):
    """The translator that the options ask for; CTranslate2's imports no Keras."""
    runs = [options.run, *getattr(options, "others", [])]
    with doing(f"opening {options.run}"):
        if options.runtime == "ctranslate2":
            expect(len(runs) == 1, "RUN", "be one with CTranslate2", runs)
            is_run = kind_of(Path(options.run)) == "run"
            must = "be an export to CTranslate2 with --runtime ctranslate2"
            expect(not is_run, "RUN", must, options.run)
            from ..export import CTranslate2Translator

            search = chosen_fields(options, DecodingConfig)
            translator = CTranslate2Translator.load(options.run, **search)
            check_only(translator.config, search)
            return translator
        from ..decoding.translator import Translator

        terms = vars(options).get("glossary")
        return Translator.load(runs, search_config(options), terms)


def take_runs(options):
    """Let the words after RUN that are runs, too, be `others`, and the rest text."""
    options.others = []
    while options.text and is_of_run(options.text[0]):
        options.others.append(options.text.pop(0))


def is_of_run(word):
    # The path of an empty text would be the working directory.
    return word != "" and os.path.isfile(Path(word, "config.json"))


def run(options):
    take_runs(options)
    lines = options.text
    if options.prefix_file:
        prefix = options.prefix
        expect(prefix is None, "--prefix", "be absent with --prefix-file", prefix)
    kind = document_kind(options)
    if kind is not None:
        return translate_file(options, kind, load_translator)
    if options.bulk:
        expect(not lines, "TEXT", "be absent with --bulk", lines)
        wishes = options.prefix_file
        expect(wishes is None, "--prefix-file", "be absent with --bulk", wishes)
        return translate_in_bulk(options)
    load = functools.partial(load_translator, options)

    def answers(translator, lines, typed):
        lines, prefixes = with_prefixes(options, lines)
        return rows_of(
            translator,
            lines,
            options.alignments,
            options.token_scores,
            prefixes,
            at_once=typed,
        )

    answer(options, load, answers, "translating", "sentences")


def answer(options, load, answers, *what):
    """Write what is made of each line, a text given or one of a file.

    Args:
        options: the parsed options, with `text`, `input` and `output`.
        load: gives a translator.
        answers: gives the rows of each line, of that translator, the lines, and
            whether somebody types them.
        what: what is done, and with what.
    """
    lines = options.text
    total = len(lines) or None
    typed = False
    read = [options.input, vars(options).get("prefix_file")]
    check_not_read("--output", options.output, read)
    if options.input:
        expect(not lines, "TEXT", "be absent with --input", lines)
        total = count_lines(options.input)
        lines = read_lines(options.input)
    elif not lines:
        is_open = sys.stdin is not None
        expect(is_open, "standard input", "be open", "a closed one")
        lines = awaited(read_lines(sys.stdin.buffer, "standard input"))
        typed = sys.stdin.isatty()  # who types a line waits for its translation
    place = contextlib.nullcontext()
    if options.output:
        place = new_file(options.output)
    with place as file:
        translator = load()
        doer, unit = what
        with doing(doer, total, unit):
            for rows in answers(translator, lines, typed):
                if options.output:
                    print(*rows, sep="\n", file=file)
                else:
                    say(*rows)


def with_prefixes(options, lines):
    """Lines, and what the translation of each must begin with; None without a wish."""
    if options.prefix_file:
        lines = list(lines)
        prefixes = list(read_lines(options.prefix_file))
        found = len(prefixes)
        must = f"have a line for each of the {len(lines)} sentences"
        expect(found == len(lines), "--prefix-file", must, found)
        return lines, prefixes
    if options.prefix is None:
        return lines, None
    if isinstance(lines, list):  # it stays one, which is sorted as a whole
        return lines, [options.prefix] * len(lines)
    lines, counted = itertools.tee(lines)
    return lines, (options.prefix for _ in counted)


def translate_in_bulk(options):
    """Translate a file by the workers of Ray Data."""
    files = (options.input, options.output)
    expect(all(files), "--input and --output", "be given with --bulk", files)
    expect(os.path.isfile(options.input), "--input", "be a file", options.input)
    check_not_read("--output", options.output, [options.input])
    are_tables = {file.endswith(".parquet") for file in files}
    is_table = options.column is not None
    what = "be .parquet files with --column, and no such files without"
    expect(are_tables == {is_table}, "--input and --output", what, files)
    workers = options.workers
    expect(workers is None or workers >= 1, "--workers", "be at least 1", workers)
    if options.address not in (None, "auto"):
        check_address(options.address)
    from ..bulk import translate_file as translate_large_file
    from ..decoding.wanted_terms import WantedTerms
    from ..runs.run import Run

    if options.runtime == "keras":
        run = Run.open(options.run)
        run.check_kind(is_language_model=False)
        choose_backend()
        search = search_config(options)
        if options.glossary:
            options.glossary = os.path.abspath(options.glossary)
            WantedTerms.of(options.glossary, run.tokenizers[1], search)
    else:
        search = load_translator(options).config
    wanted = (search.n_best, options.alignments, options.token_scores)
    is_text = not is_table or wanted == (1, False, False)
    names = "--n-best, --alignments and --token-scores"
    expect(is_text, names, "be absent with --column", wanted)
    options.run = os.path.abspath(options.run)
    options.others = [os.path.abspath(other) for other in options.others]
    backend = os.environ.get("KERAS_BACKEND", "")
    start = functools.partial(start_worker, options, backend)
    with silenced() as terminal, doing("starting", file=terminal):

        def tell(text):
            say(f"keras-transformer: {text}", file=terminal)

        translate_large_file(
            options.input,
            options.output,
            start,
            search.batch_size,
            column=options.column,
            workers=workers,
            address=options.address,
            say=tell,
        )


def check_address(address):
    """Raise a `ValueError` if nothing answers; Ray itself would wait for minutes."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except (OSError, ValueError):
        what = "be auto, or the HOST:PORT where a Ray cluster answers"
        raise refused("--address", what, address) from None


def start_worker(options, backend):
    """What a worker of --bulk does with a list of lines and the number of the first."""
    if options.runtime == "keras":
        os.environ["KERAS_BACKEND"] = backend
        start_keras()
    translator = load_translator(options)

    def texts_of(lines, number):
        numbers = itertools.count(number)
        lines, prefixes = with_prefixes(options, lines)
        found = rows_of(
            translator,
            lines,
            options.alignments,
            options.token_scores,
            prefixes,
            numbers=numbers,
        )
        return ["\n".join(rows) for rows in found]

    return texts_of
