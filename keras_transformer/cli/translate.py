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
from keras_transformer.cli.shards import (
    join_parts,
    parse_shard,
    parts_of,
    write_part,
)
from keras_transformer.config import DecodingConfig
from keras_transformer.runs.sealed_files import new_file
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
    text = "sentences; standard input when none and no --input"
    add("text", nargs="*", metavar="TEXT", help=text)
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
    names = ["keras", "ctranslate2"]
    text = "what computes; ctranslate2 takes a directory that export made"
    parser.add_argument("--runtime", choices=names, default="keras", help=text)
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
    if count > 1:
        return translate_share(options, number, count)
    typed = False
    if options.text:
        lines = iter(options.text)
    elif options.input:
        lines = read_lines(options.input)
    else:
        lines = read_lines(sys.stdin.buffer, "standard input")
        typed = sys.stdin.isatty()  # who types a line waits for its translation
    found = rows_of(load_translator(options), lines, *columns(options), at_once=typed)
    standard = contextlib.nullcontext(sys.stdout)
    with new_file(options.output) if options.output else standard as file:
        for row in itertools.chain.from_iterable(found):
            print(row, file=file, flush=not options.output)


def columns(options):
    """The columns to add: alignments, token scores."""
    return options.alignments, options.token_scores


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


def translate_share(options, number, count):
    """Translate a share of a file; join the shares if this was the last one."""
    run = Path(options.run)
    files = [Path(options.input), run / "manifest.json", run / "model.keras"]
    stats = [path.stat() for path in files if path.is_file()]
    stamps = [[stat.st_size, stat.st_mtime_ns] for stat in stats]
    search = chosen_fields(options, DecodingConfig)
    mark = [stamps, options.runtime, search, columns(options)]
    parts = parts_of(options.output, count, mark)
    if not parts[number].exists():
        lines = itertools.islice(read_lines(options.input), number, None, count)
        numbers = itertools.count(number + 1, count)
        found = rows_of(
            load_translator(options), lines, *columns(options), numbers=numbers
        )
        write_part(parts[number], found)
    for missing in join_parts(options.output, parts, number):
        print(f"--shard {missing}/{count} is still to be done", file=sys.stderr)
