"""README.md, the card of a run or an export: what the run knows, for a reader."""

import dataclasses
import json
import operator
import string
from pathlib import Path

from ..config import CausalLMConfig
from ..data.cleaning import CleaningReport, FilterReport, one_line
from ..data.documents import TextReport
from .sealed_files import new_file

CARD = "README.md"
TEXTS = Path(__file__).with_name("cards")
OWN = "<!-- What you write below this line stays. -->\n"
# What `train` leaves in a run.
HELD_OUT = "data/valid.jsonl"
TRAIN = "data/train/store.json"
VALID = "data/valid/store.json"
CLEANED = "data/cleaning.json"


def write_card(run):
    """Write a run's README.md, but for what its user has added at the end."""
    path = run.path / CARD
    own = ""
    if path.is_file():
        own = path.read_text("utf-8", errors="replace").partition(OWN)[2]
    with new_file(path) as file:
        file.write("\n".join([card(run), OWN]) + own)


def card(run, kind="run", more=()):
    """The text of a card, in Markdown, with more facts beside the run's own.

    `kind` is "run", or the format of an export of it; see `template_of`.
    """
    languages = run.config.languages
    template = string.Template(template_of(run.config.model, "card"))
    return template.substitute(
        languages=json.dumps(languages or []),
        pair=" to ".join(languages or ["languages unknown"]),
        facts="\n".join(outline(facts(run) | dict(more))),
        limit=limit_of(run),
        usage=template_of(run.config.model, kind),
    )


def template_of(model, kind):
    """How a run of a model's config, or an export in some format, is opened."""
    place = TEXTS / "language_model" if isinstance(model, CausalLMConfig) else TEXTS
    return (place / f"{kind}.md").read_text("utf-8").rstrip()


def facts(run):
    """What a run knows of itself: texts, numbers, and dicts of these, by name."""
    config = run.config
    groups = dict(model=config.model, data=config.data, training=config.training)
    found = {
        "languages": config.languages,
        "origin": config.origin,
        "parameters": config.model.parameters,
        "data": data_of(run),
        "settings": {name: changed(group) for name, group in groups.items()},
        "training": training_of(run),
        "scores": run.scores,
    }
    return {name: value for name, value in found.items() if value}


def data_of(run):
    """What the filters kept and dropped, and what they are."""
    found = {}
    if CLEANED in run.manifest.sums:
        report = CleaningReport(**run.manifest.read_json(CLEANED))
        found["pairs"] = report.summary
        shown_pairs = {name: one_line(*pair) for name, pair in report.examples.items()}
        if shown_pairs:
            found["one of each"] = shown_pairs
    for name in (TRAIN, VALID):
        if name in run.manifest.sums:
            kind = TextReport if run.config.is_language_model else FilterReport
            report = kind(**run.manifest.read_json(name)["report"])
            found[name.split("/")[1]] = str(report)
    if found:
        found["max_length"] = run.config.data.max_length
        if not run.config.is_language_model:
            found["max_ratio"] = run.config.data.max_ratio
    return found


def training_of(run):
    """How long a run was trained, and what `log.jsonl` says of its best epoch."""
    rows = run.log
    config = run.config.training
    is_bleu = config.monitor == "bleu"
    name = "nats"
    if VALID in run.manifest.sums:
        name = "val_bleu" if is_bleu else "val_nats"
    measured = [row for row in rows if isinstance(row.get(name), float)]
    ranked = sorted(measured, key=operator.itemgetter(name), reverse=is_bleu)
    if not ranked:
        return {}
    return {"epochs": len(rows), "best epoch": ranked[0]}


def limit_of(run):
    """What text is new to it, in a sentence."""
    config = run.config
    if config.origin:
        return "The license and the limits of its origin hold for it, too."
    most = config.data.max_length
    seen = f"It has seen no sentence of more than {most:,} tokens"
    if config.is_language_model:
        seen = f"It has seen {most:,} tokens at once and no more"
    return f"{seen}, and no character that its training text lacks."


def changed(config):
    """The fields of a config dataclass that differ from their defaults."""
    found = {}
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if value != field.default:
            found[field.name] = value
    return found


def outline(found, indent=""):
    """The lines of a nested list of names and values, which Markdown reads as well."""
    lines = []
    for name, value in found.items():
        line = f"{indent}- {shown(name)}:"
        if isinstance(value, dict):
            lines += [line, *outline(value, indent + "  ")]
        else:
            lines.append(f"{line} {shown(value)}")
    return lines


def shown(value):
    """A value in one line, for a reader."""
    if type(value) is int:
        return f"{value:,}"
    if type(value) is float:
        return f"{value:.6g}"
    return json.dumps(value, ensure_ascii=False).strip('"')
