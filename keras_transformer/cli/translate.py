"""Translate sentences with a trained run."""

import contextlib
import functools
import itertools
import os
import socket
import sys

from ..config import DecodingConfig, expect
from ..runs.bars import awaited, doing, say
from ..runs.sealed_files import new_file
from ..text.lines import count_lines, read_lines
from .flags import RUN, chosen_fields
from .output import rows_of
from .startup import choose_backend, silenced, start_keras

RUNTIME = {
    "--runtime": dict(
        default="keras",
        choices=["keras", "ctranslate2"],
        help="what computes; ctranslate2: what export made",
    )
}
FLAGS = {
    **RUN,
    **RUNTIME,
    "text": dict(metavar="TEXT", nargs="*", help="sentences"),
    "--input": dict(help="file of sentences, also as .gz (default: standard input)"),
    "--output": dict(help="file to write, also as .gz (default: standard output)"),
    "--bulk": dict(
        action="store_true", help="translate a large file in several processes (Ray)"
    ),
    "--workers": dict(
        type=int,
        metavar="N",
        help="processes of --bulk (default: one for each GPU, or else processor)",
    ),
    "--address": dict(help="Ray cluster of --bulk, or auto (default: this machine)"),
    "--column": dict(help="column of sentences, with --bulk and .parquet files"),
    "--alignments": dict(
        action="store_true", help="add a column: word links, source-target from 0"
    ),
    "--token-scores": dict(
        action="store_true",
        help="add a column: token:log-probability in nats, tokens escaped as in JSON",
    ),
}
GROUPS = {"search": DecodingConfig}


def load_translator(options):
    """The translator that the options ask for; CTranslate2's imports no Keras."""
    search = chosen_fields(options, DecodingConfig)
    with doing(f"opening {options.run}"):
        if options.runtime == "ctranslate2":
            from ..export import CTranslate2Translator

            return CTranslate2Translator.load(options.run, **search)
        from ..decoding.translator import Translator

        return Translator.load(options.run, DecodingConfig(**search))


def run(options):
    lines = options.text
    total = len(lines) or None
    typed = False
    if options.input:
        expect(not lines, "TEXT", "be absent with --input", lines)
    if options.alignments:
        runtime = options.runtime
        expect(runtime == "keras", "--runtime", "be keras with --alignments", runtime)
    if options.bulk:
        return translate_in_bulk(options)
    for name in ("workers", "address", "column"):
        value = getattr(options, name)
        expect(value is None, f"--{name}", "be absent without --bulk", value)
    if options.input:
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
        translator = load_translator(options)
        columns = (options.alignments, options.token_scores)
        with doing("translating", total, "sentences"):
            for rows in rows_of(translator, lines, *columns, at_once=typed):
                if options.output:
                    print(*rows, sep="\n", file=file)
                else:
                    say(*rows)


def translate_in_bulk(options):
    """Translate a file by the workers of Ray Data."""
    files = (options.input, options.output)
    expect(all(files), "--input and --output", "be given with --bulk", files)
    expect(os.path.isfile(options.input), "--input", "be a file", options.input)
    are_tables = {file.endswith(".parquet") for file in files}
    is_table = options.column is not None
    what = "be .parquet files with --column, and no such files without"
    expect(are_tables == {is_table}, "--input and --output", what, files)
    workers = options.workers
    expect(workers is None or workers >= 1, "--workers", "be at least 1", workers)
    if options.address not in (None, "auto"):
        check_address(options.address)
    from ..bulk import translate_file

    if options.runtime == "keras":
        choose_backend()
        search = DecodingConfig(**chosen_fields(options, DecodingConfig))
    else:
        search = load_translator(options).config
    wanted = (search.n_best, options.alignments, options.token_scores)
    is_text = not is_table or wanted == (1, False, False)
    names = "--n-best, --alignments and --token-scores"
    expect(is_text, names, "be absent with --column", wanted)
    options.run = os.path.abspath(options.run)
    backend = os.environ.get("KERAS_BACKEND", "")
    start = functools.partial(start_worker, options, backend)
    how = dict(column=options.column, workers=workers, address=options.address)
    with silenced() as terminal, doing("starting", file=terminal):

        def tell(text):
            say(f"keras-transformer: {text}", file=terminal)

        translate_file(*files, start, search.batch_size, **how, say=tell)


def check_address(address):
    """Raise a `ValueError` if nothing answers; Ray itself would wait for minutes."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except (OSError, ValueError):
        what = "be auto, or the HOST:PORT where a Ray cluster answers"
        expect(False, "--address", what, address)


def start_worker(options, backend):
    """What a worker of --bulk does with a list of lines and the number of the first."""
    if options.runtime == "keras":
        os.environ["KERAS_BACKEND"] = backend
        start_keras()
    translator = load_translator(options)

    def texts_of(lines, number):
        numbers = itertools.count(number)
        columns = (options.alignments, options.token_scores)
        found = rows_of(translator, lines, *columns, numbers=numbers)
        return ["\n".join(rows) for rows in found]

    return texts_of
