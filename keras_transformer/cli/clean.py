"""Clean pairs of sentences of any kind; write them as text, TSV or JSON lines."""

import contextlib
import json
import re
from pathlib import Path

from ..config import CleaningConfig, check_only, expect
from ..process.bars import say
from ..process.flag_names import flag
from ..runs.sealed_files import new_file
from .flags import PAIRS, SIDES, chosen_fields, file_flags, pairs_chosen
from .output import check_not_read

FLAGS = {
    "pairs": dict(metavar="INPUT", nargs="*", help=f"{PAIRS} ..."),
    "output": dict(
        metavar="OUTPUT",
        help=".tsv or .jsonl file; of another name two text files are made, which end "
        "in the languages; also as .gz",
    ),
    **file_flags(("source", "target")),
}
FIRST = ("--source", "--target", *map(flag, SIDES))
FIRST += ("--drop-copies", "--drop-duplicates", "--drop-near-duplicates")
ONLY = {"target": ("source", True)}
GROUPS = {"filters": CleaningConfig}
ONE_FILE = (".tsv", ".jsonl")
OTHER = (".csv", ".json", ".parquet", ".po", ".tmx", ".xlf", ".xliff", ".zip", ".xz")
# A line of text holds no end of line, and a cell no tab.
BREAKS = re.compile(r"[\t\n\r\v\f\x1c-\x1e\x85\u2028\u2029]+")


def run(options):
    from ..data.corpus import clean_pairs

    chosen = chosen_fields(options, CleaningConfig)
    config = CleaningConfig(**chosen)
    check_only(config, chosen)
    path = Path(options.output)
    packing = ".gz" if path.suffix == ".gz" else ""
    kind = Path(path.name.removesuffix(packing)).suffix
    must = "be a .tsv or .jsonl file, or a name for two text files"
    expect(kind not in OTHER, "OUTPUT", must, options.output)
    is_there = path.parent.is_dir()
    expect(is_there, "OUTPUT", "be in an existing directory", options.output)
    chosen_files = vars(options)
    pairs = pairs_chosen(chosen_files, pairs_name="INPUT")
    expect(pairs is not None, "INPUT", "be given", options.pairs)
    corpus = clean_pairs(pairs, config=config)
    paths = [path]
    if kind not in ONE_FILE:
        paths = paths_of_sides(path, packing, corpus.languages)
    names = ("pairs", "source", "target")
    read = [path for name in names for path in chosen_files.get(name) or ()]
    for path in paths:
        check_not_read("OUTPUT", path, read)
    with contextlib.ExitStack() as opened:
        files = [opened.enter_context(new_file(one)) for one in paths]
        for pair in corpus:
            for file, line in zip(files, lines_of(pair, kind)):
                print(line, file=file)
    say(str(corpus.report), f"Written: {', '.join(map(str, paths))}")


def paths_of_sides(path, packing, languages):
    """The paths of two text files, which end in the languages and the packing."""
    must = "be given to name two text files"
    expect(languages, "source_language and target_language", must, languages)
    stem = str(path).removesuffix(packing)
    return [f"{stem}.{code}{packing}" for code in languages]


def lines_of(pair, kind):
    """What to write of a pair, a line for each file of a kind."""
    if kind == ".jsonl":
        row = dict(zip(("source", "target"), pair))
        return [json.dumps(row, ensure_ascii=False)]
    sides = [BREAKS.sub(" ", text).strip() for text in pair]
    return ["\t".join(sides)] if kind == ".tsv" else sides
