"""`keras-transformer translate`: translate sentences with a trained run."""

import contextlib
import itertools
import sys
from pathlib import Path

from keras_transformer.cli.flags import (
    add_config_flags,
    add_options,
    add_run,
    chosen_fields,
)
from keras_transformer.cli.output import rows_of
from keras_transformer.cli.shards import Share, parse_shard
from keras_transformer.config import DecodingConfig
from keras_transformer.runs.run import new_file
from keras_transformer.text.lines import read_lines

HELP = "translate sentences with a trained run"
FILES = {
    "input": "file of sentences, one a line (plain or .gz)",
    "output": "file to write (default: standard output)",
}
COLUMNS = {
    "alignments": "add a column: linked words, source-target from 0, as 0-0 1-2",
    "token-scores": "add a column: each token with its log-probability in nats",
}


def add_flags(parser):
    add = parser.add_argument
    add_translator(parser)
    add(
        "text",
        nargs="*",
        metavar="TEXT",
        help="sentences; standard input when none and no --input",
    )
    add_options(parser, FILES, metavar="FILE")
    add(
        "--shard",
        metavar="K/N",
        help="translate every N-th line from the K-th, counted from 0, and leave a "
        "part of the output; the last to end joins the parts (default: as a launcher "
        "of several processes says)",
    )
    add_options(parser, COLUMNS, action="store_true")


def add_translator(parser):
    """Add what `load_translator` reads: RUN, --runtime and the flags of the search."""
    add_run(parser)
    parser.add_argument(
        "--runtime",
        choices=["keras", "ctranslate2"],
        default="keras",
        help="what computes; ctranslate2 takes a directory that export made",
    )
    add_config_flags(parser, DecodingConfig, "search")


def load_translator(options):
    """The translator that the options ask for; CTranslate2's imports no Keras."""
    search = chosen_fields(options, DecodingConfig)
    if options.runtime == "ctranslate2":
        from keras_transformer.export import CTranslate2Translator

        return CTranslate2Translator.load(options.run, **search)
    from keras_transformer.decoding.translator import Translator

    return Translator.load(options.run, DecodingConfig(**search))


def run(options):
    if options.text and options.input:
        raise ValueError("TEXT and --input exclude each other; received both")
    if options.alignments and options.runtime != "keras":
        raise ValueError(
            "--alignments goes with --runtime keras; "
            f"received --runtime {options.runtime}"
        )
    number, count = shard_of(options)
    columns = [options.alignments, options.token_scores]
    if count > 1:
        share = Share(options.output, number, count, mark(options, columns))
        return translate_share(options, share, columns)
    translator = load_translator(options)
    lines, typed = sentences(options)
    standard = contextlib.nullcontext(sys.stdout)
    with new_file(options.output) if options.output else standard as file:
        for rows in rows_of(translator, lines, *columns, at_once=typed):
            for row in rows:
                print(row, file=file, flush=not options.output)


def sentences(options):
    """The sentences to translate, and whether somebody types them."""
    if options.text:
        return iter(options.text), False
    if options.input:
        return read_lines(options.input), False
    return read_lines(sys.stdin.buffer, "standard input"), sys.stdin.isatty()


def shard_of(options):
    """(number, count): which share of the lines to translate.

    It is that of --shard, or that of this process if a launcher started several.
    """
    number, count = 0, 1
    if options.shard:
        number, count = parse_shard(options.shard)
    elif options.runtime == "keras":
        from keras_transformer.distribution.launcher import launched, take_device

        number, count = launched()
        take_device()
    if count > 1 and not (options.input and options.output):
        raise ValueError(
            "several processes need --input and --output; "
            f"received process {number} of {count} without"
        )
    return number, count


def translate_share(options, share, columns):
    """Translate a share of a file; join the shares if this was the last one."""
    if not share.is_done(share.number):
        lines = share.of(read_lines(options.input))
        numbers = share.of(itertools.count(1))
        share.write(rows_of(load_translator(options), lines, *columns, numbers=numbers))
    for missing in share.join():
        print(f"--shard {missing}/{share.count} is still to be done", file=sys.stderr)


def mark(options, columns):
    """What tells parts of this translation from those of another."""
    run = Path(options.run)
    files = [Path(options.input), run / "manifest.json", run / "model.keras"]
    stats = [path.stat() for path in files if path.is_file()]
    return {
        "files": [[stat.st_size, stat.st_mtime_ns] for stat in stats],
        "runtime": options.runtime,
        "search": chosen_fields(options, DecodingConfig),
        "columns": columns,
    }
