"""`keras-transformer translate`: translate sentences with a trained run."""

import contextlib
import itertools
import sys
from pathlib import Path

from keras_transformer.cli import shards
from keras_transformer.cli.flags import RUN, chosen_fields
from keras_transformer.cli.output import rows_of
from keras_transformer.config import DecodingConfig, expect
from keras_transformer.runs.sealed_files import new_file
from keras_transformer.text.lines import read_lines

HELP = "translate sentences with a trained run"
RUNTIME = {
    "--runtime": dict(
        choices=["keras", "ctranslate2"],
        default="keras",
        help="what computes; ctranslate2 takes a directory that export made",
    )
}
FLAGS = {
    **RUN,
    **RUNTIME,
    "text": dict(
        nargs="*",
        metavar="TEXT",
        help="sentences; standard input when none and no --input",
    ),
    "--input": dict(
        metavar="FILE", help="file of sentences, one a line (plain or .gz)"
    ),
    "--output": dict(metavar="FILE", help="file to write (default: standard output)"),
    "--shard": dict(
        metavar="K/N",
        help="translate every N-th line from the K-th, counted from 0, and leave a "
        "part of the output; the last to end joins the parts (default: as a launcher "
        "of several processes says)",
    ),
    "--alignments": dict(
        action="store_true",
        help="add a column: linked words, source-target from 0, as 0-0 1-2",
    ),
    "--token-scores": dict(
        action="store_true",
        help="add a column: each token with its log-probability in nats",
    ),
}
GROUPS = {"search": DecodingConfig}


def load_translator(options):
    """The translator that the options ask for; CTranslate2's imports no Keras."""
    search = chosen_fields(options, DecodingConfig)
    if options.runtime == "ctranslate2":
        from keras_transformer.export import CTranslate2Translator

        return CTranslate2Translator.load(options.run, **search)
    from keras_transformer.decoding.translator import Translator

    return Translator.load(options.run, DecodingConfig(**search))


def run(options):
    text = options.text
    expect(not (text and options.input), "TEXT", "be absent with --input", text)
    is_keras = options.runtime == "keras"
    expect(
        is_keras or not options.alignments,
        "--runtime",
        "be keras with --alignments",
        options.runtime,
    )
    number, count = shard_of(options)
    columns = (options.alignments, options.token_scores)
    if count > 1:
        return translate_share(options, number, count, columns)
    typed = False
    if text:
        lines = text
    elif options.input:
        lines = read_lines(options.input)
    else:
        lines = read_lines(sys.stdin.buffer, "standard input")
        typed = sys.stdin.isatty()  # who types a line waits for its translation
    found = rows_of(load_translator(options), lines, *columns, at_once=typed)
    standard = contextlib.nullcontext(sys.stdout)
    with new_file(options.output) if options.output else standard as file:
        for row in itertools.chain.from_iterable(found):
            print(row, file=file, flush=not options.output)


def shard_of(options):
    """(number, count): which share of the lines to translate.

    It is that of --shard, or that of this process if a launcher started several.
    """
    number, count = 0, 1
    if options.shard:
        number, count = shards.parse_shard(options.shard)
    elif options.runtime == "keras":
        from keras_transformer.distribution.launcher import launched, take_device

        number, count = launched()
        take_device()
    files = (options.input, options.output)
    needed = f"be given to process {number} of {count}"
    expect(count == 1 or all(files), "--input and --output", needed, files)
    return number, count


def translate_share(options, number, count, columns):
    """Translate a share of a file; join the shares if this was the last one."""
    run = Path(options.run)
    files = [Path(options.input), run / "manifest.json", run / "model.keras"]
    stats = [path.stat() for path in files if path.is_file()]
    stamps = [[stat.st_size, stat.st_mtime_ns] for stat in stats]
    search = chosen_fields(options, DecodingConfig)
    mark = [stamps, options.runtime, search, columns]
    parts = shards.parts_of(options.output, count, mark)
    if not parts[number].exists():
        lines = itertools.islice(read_lines(options.input), number, None, count)
        numbers = itertools.count(number + 1, count)
        translator = load_translator(options)
        found = rows_of(translator, lines, *columns, numbers=numbers)
        shards.write_part(parts[number], found)
    for missing in shards.join_parts(options.output, parts, number):
        print(f"--shard {missing}/{count} is still to be done", file=sys.stderr)
