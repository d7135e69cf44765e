"""Translate sentences with a trained run."""

import contextlib
import itertools
import sys
from pathlib import Path

from ..config import DecodingConfig, expect
from ..runs.sealed_files import new_file
from ..text.lines import read_lines
from . import shards
from .flags import RUN, chosen_fields
from .output import rows_of

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
    "--input": dict(help="file of sentences (default: standard input)"),
    "--output": dict(help="file to write (default: standard output)"),
    "--shard": dict(
        metavar="K/N",
        help="translate each N-th line from the K-th, from 0; the last of N joins all",
    ),
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
    if options.runtime == "ctranslate2":
        from ..export import CTranslate2Translator

        return CTranslate2Translator.load(options.run, **search)
    from ..decoding.translator import Translator

    return Translator.load(options.run, DecodingConfig(**search))


def run(options):
    lines = options.text
    typed = False
    if options.input:
        expect(not lines, "TEXT", "be absent with --input", lines)
    if options.alignments:
        runtime = options.runtime
        expect(runtime == "keras", "--runtime", "be keras with --alignments", runtime)
    number, count = shard_of(options)
    if count > 1:
        return translate_share(options, number, count)
    if options.input:
        lines = read_lines(options.input)
    elif not lines:
        is_open = sys.stdin is not None
        expect(is_open, "standard input", "be open", "a closed one")
        lines = read_lines(sys.stdin.buffer, "standard input")
        typed = sys.stdin.isatty()  # who types a line waits for its translation
    place = contextlib.nullcontext(sys.stdout)
    if options.output:
        place = new_file(options.output)
    with place as file:
        for rows in found_rows(options, lines, at_once=typed):
            print(*rows, sep="\n", file=file, flush=not options.output)


def found_rows(options, lines, **how):
    translator = load_translator(options)
    return rows_of(translator, lines, options.alignments, options.token_scores, **how)


def shard_of(options):
    """The number of this process, by --shard or by its launcher, and of all."""
    number = 0
    count = 1
    if options.shard:
        number, count = shards.parse_shard(options.shard)
    elif options.runtime == "keras":
        from ..distribution.launcher import launched, take_device

        number, count = launched()
        take_device()
    if count > 1:
        files = (options.input, options.output)
        expectation = f"be given to process {number} of {count}"
        expect(all(files), "--input and --output", expectation, files)
    return number, count


def translate_share(options, number, count):
    """Translate a share of a file; join the shares if this was the last one."""
    run = Path(options.run)
    files = [Path(options.input), run / "manifest.json", run / "model.keras"]
    stats = [path.stat() for path in files if path.is_file()]
    mark = [[stat.st_size, stat.st_mtime_ns] for stat in stats]
    mark += [options.runtime, options.alignments, options.token_scores]
    mark.append(chosen_fields(options, DecodingConfig))
    parts = shards.parts_of(options.output, count, mark)
    if not parts[number].exists():
        lines = itertools.islice(read_lines(options.input), number, None, count)
        numbers = itertools.count(number + 1, count)
        shards.write_part(parts[number], found_rows(options, lines, numbers=numbers))
    for missing in shards.join_parts(options.output, parts, number):
        print(f"--shard {missing}/{count} is still to be done", file=sys.stderr)
