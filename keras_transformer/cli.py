"""The command `keras-transformer`: demo, train, translate, evaluate."""

import argparse
import contextlib
import dataclasses
import json
import os
import sys
import tomllib
import warnings
from pathlib import Path
from typing import Literal, get_args, get_origin

from keras_transformer.allocator import keep_freed_memory
from keras_transformer.backend import choose_backend, import_keras
from keras_transformer.config import (
    FROM_TOKENIZER,
    PRESETS,
    DataConfig,
    DecodingConfig,
    TrainingConfig,
    TransformerConfig,
    preset,
)
from keras_transformer.run_directory import new_file, read_config

EXPECTED = (ValueError, OSError, ImportError, ArithmeticError)  # errors whose message says all; others show their type
TRAIN_GROUPS = {
    "model": (TransformerConfig, "model (replaces the preset's value)"),
    "data": (DataConfig, "data"),
    "training": (TrainingConfig, "training"),
}
TRAIN_FILES = {
    "source": "source sentences, one a line (plain or .gz), or both sides in one .tsv file",
    "target": "their translations, line by line",
    "valid_source": "held-out source sentences",
    "valid_target": "their translations",
}


class Parser(argparse.ArgumentParser):
    """An `ArgumentParser` whose errors are as short as all others."""

    def error(self, message):
        raise ValueError(f"{message} (see {self.prog} --help)")


def main(arguments=None):
    """Run a command line; give the exit status: 0, or 2 after one line that says what is wrong."""
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *rest: print(f"keras-transformer: warning: {message}", file=sys.stderr)
        try:
            parser = build_parser()
            options, rest = parser.parse_known_args(arguments)
            if "text" in options and not any(word.startswith("-") for word in rest):
                options.text += rest  # argparse takes no TEXT after a flag
            elif rest:
                parser.error(f"unrecognized arguments: {' '.join(rest)}")
            choose_backend()
            keep_freed_memory()
            import_keras()
            options.command(options)
        except KeyboardInterrupt as interrupt:
            print(f"keras-transformer: {interrupt or 'interrupted'}", file=sys.stderr)
            return 128 + getattr(interrupt, "number", 2)
        except BrokenPipeError:  # who reads our output has read enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 141
        except Exception as error:
            name = "" if isinstance(error, EXPECTED) else f"{type(error).__name__}: "
            lines = str(error).splitlines() or [type(error).__name__]
            print(f"keras-transformer: error: {name}{lines[0]}", file=sys.stderr)
            return 2
    return 0


def build_parser():
    """The `ArgumentParser` of all commands; a flag for each field of the config dataclasses."""
    parser = Parser(
        prog="keras-transformer",
        description="Train a Transformer on parallel text and translate with it, on TensorFlow, JAX or PyTorch "
        "(set KERAS_BACKEND to tensorflow, jax or torch).",
        epilog="Begin with: keras-transformer demo",
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    demo = commands.add_parser("demo", help="train a small model on the bundled corpus and show what it can do")
    demo.add_argument("run", nargs="?", default="demo-run", metavar="RUN", help="directory to make (default: demo-run)")
    demo.add_argument("--overwrite", action="store_true", help="replace the run if it exists")
    demo.set_defaults(command=demo_command)

    train = commands.add_parser("train", help="train a model on two text files", argument_default=argparse.SUPPRESS)
    add_train_flags(train)
    train.set_defaults(command=train_command)

    translate = commands.add_parser("translate", help="translate sentences with a trained run")
    translate.add_argument("run", metavar="RUN", help="directory that train or demo made")
    translate.add_argument("text", nargs="*", metavar="TEXT", help="sentences; standard input when none and no --input")
    translate.add_argument("--input", metavar="FILE", help="file of sentences, one a line (plain or .gz)")
    translate.add_argument("--output", metavar="FILE", help="file to write (default: standard output)")
    add_config_flags(translate, DecodingConfig, "search")
    translate.set_defaults(command=translate_command)

    evaluate = commands.add_parser("evaluate", help="translate a test set and score it with sacreBLEU")
    evaluate.add_argument("run", metavar="RUN", help="directory that train or demo made")
    evaluate.add_argument("--source", required=True, metavar="FILE", help="test sentences (or a .tsv of both sides)")
    evaluate.add_argument("--target", metavar="FILE", help="their reference translations")
    evaluate.add_argument("--json", action="store_true", help="print one JSON object")
    add_config_flags(evaluate, DecodingConfig, "search")
    evaluate.set_defaults(command=evaluate_command)
    return parser


def add_train_flags(parser):
    parser.add_argument("run", metavar="RUN", help="directory to make: it will hold all that belongs to the model")
    for name, help in TRAIN_FILES.items():
        parser.add_argument("--" + name.replace("_", "-"), metavar="FILE", help=help)
    parser.add_argument("--preset", choices=PRESETS, help="size of the model (default: tiny)")
    parser.add_argument(
        "--config",
        metavar="FILE",
        help="TOML file of the same names: source, target, preset, [model], [data], [training]",
    )
    existing = parser.add_mutually_exclusive_group()
    existing.add_argument("--overwrite", action="store_true", help="replace the run if it exists")
    existing.add_argument(
        "--resume", action="store_true", help="continue the run where it was interrupted; begin it if there is none"
    )
    parser.add_argument("--init-from", metavar="RUN", help="begin with the tokenizer and weights of another run")
    for kind, title in TRAIN_GROUPS.values():
        add_config_flags(parser, kind, title)


def add_config_flags(parser, kind, title):
    """A flag for every field of a config dataclass, absent from the parsed options unless given."""
    group = parser.add_argument_group(title)
    for field in dataclasses.fields(kind):
        if field.name in FROM_TOKENIZER:
            continue
        choices = get_args(field.type) if get_origin(field.type) is Literal else None
        value_type = next(iter(get_args(field.type)), field.type) if choices is None else str
        how = dict(type=value_type, choices=choices, metavar=None if choices else value_type.__name__.upper())
        if value_type is bool:
            how = dict(action=argparse.BooleanOptionalAction)
        default = "" if field.default is None else f" (default: {field.default})"
        if kind is TransformerConfig:
            default = ""  # the preset decides
        help = (field.metadata["help"] + default).replace("%", "%%")
        group.add_argument("--" + field.name.replace("_", "-"), default=argparse.SUPPRESS, help=help, **how)


def given(options, kind):
    """The fields of a config dataclass that the command line set."""
    names = {field.name for field in dataclasses.fields(kind)}
    return {name: value for name, value in vars(options).items() if name in names}


def read_toml(path):
    """The settings of a `--config` file: top level and one table for each group, every key checked."""
    try:
        settings = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"config {path!r} is not valid TOML: {error}") from None
    known = {name: {field.name for field in dataclasses.fields(kind)} for name, (kind, _) in TRAIN_GROUPS.items()}
    for key, value in settings.items():
        if key not in (*TRAIN_FILES, "preset", *known):
            raise ValueError(
                f"config {path!r} has an unknown key {key!r}; known: {', '.join([*TRAIN_FILES, 'preset', *known])}"
            )
        if key in known and (not isinstance(value, dict) or set(value) - known[key] | set(value) & set(FROM_TOKENIZER)):
            wrong = (
                sorted(set(value) - known[key] | set(value) & set(FROM_TOKENIZER)) if isinstance(value, dict) else value
            )
            raise ValueError(f"config {path!r}: [{key}] has unknown settings {wrong}")
        if key not in known and not isinstance(value, str):
            raise ValueError(f"config {path!r}: {key} must be a string; received {value!r}")
    return settings


def train_command(options):
    settings = read_toml(options.config) if "config" in options else {}
    files = {name: getattr(options, name, settings.get(name)) for name in TRAIN_FILES}
    tables = {name: {**settings.get(name, {}), **given(options, kind)} for name, (kind, _) in TRAIN_GROUPS.items()}
    resume, init_from = "resume" in options, getattr(options, "init_from", None)
    own = options.run if resume and (Path(options.run) / "config.json").is_file() else init_from
    size = getattr(options, "preset", settings.get("preset"))
    if own is None and files["source"] is None:
        raise ValueError("--source is needed: a file of source sentences")
    if own is None or size is not None:
        model = preset(size or "tiny", **tables["model"])
    else:
        model = dataclasses.replace(read_config(own, "model"), **tables["model"])
    # A run that goes on keeps what is not given; one that begins with another's weights has that one's data settings.
    data = dataclasses.replace(DataConfig() if own is None else read_config(own, "data"), **tables["data"])
    begun = read_config(own, "training") if own is not None and own == options.run else TrainingConfig()
    training = dataclasses.replace(begun, **tables["training"])

    from keras_transformer.training import train

    flags = dict(overwrite="overwrite" in options, resume=resume, init_from=init_from)
    train(options.run, **files, model=model, data=data, training=training, **flags)
    print(f"\nThe run is in {options.run}. Next:\n  keras-transformer translate {options.run} 'A sentence.'")


# Learns from few updates, and 12,000 pairs of one grammar need no regularisation.
DEMO_MODEL = dict(norm="pre", dropout=0.0)
DEMO_DATA = DataConfig(vocab_size=1200, batch_tokens=512)
DEMO_TRAINING = TrainingConfig(epochs=4, warmup_updates=300, learning_rate_scale=0.5, average_last=1)


def demo_command(options):
    from keras_transformer.data import captions, read_pairs
    from keras_transformer.evaluation import evaluate
    from keras_transformer.training import train

    print("Training a model of tiny's sizes on 12,000 pairs of the bundled corpus: a few minutes on two cores.")
    files = (*captions("train"), *captions("valid"))
    model = preset("tiny", **DEMO_MODEL)
    train(options.run, *files, model=model, data=DEMO_DATA, training=DEMO_TRAINING, overwrite=options.overwrite)

    source, target = captions("test")
    result = evaluate(options.run, source, target)
    print(f"\n500 held-out sentences at {result.sentences_per_second:.1f} a second:\n{result.scores}\n")
    for (sentence, _), translation in list(zip(read_pairs(source, target), result.translations))[::100]:
        print(f"  {sentence}\n  -> {translation}\n")
    print(
        "What to type next:\n"
        f"  keras-transformer translate {options.run} 'Two young girls are sitting on a bench.'\n"
        f"  keras-transformer evaluate {options.run} --source {source} --target {target}\n"
        "  keras-transformer train MY-RUN --source train.en --target train.de "
        "--valid-source val.en --valid-target val.de"
    )


def translate_command(options):
    from keras_transformer.data import read_lines
    from keras_transformer.decoding import Translator

    if options.text and options.input:
        raise ValueError("TEXT and --input exclude each other; received both")
    translator = Translator.load(options.run, DecodingConfig(**given(options, DecodingConfig)))
    if options.text:
        lines = iter(options.text)
    else:
        lines = read_lines(options.input) if options.input else read_lines(sys.stdin.buffer, "standard input")
    found = translator.stream(lines)
    if not options.text and not options.input and sys.stdin.isatty():  # who types a line waits for its translation
        found = (translator.hypotheses([line])[0] for line in lines)
    with new_file(options.output) if options.output else contextlib.nullcontext(sys.stdout) as output:
        for number, hypotheses in enumerate(found, start=1):
            if translator.config.n_best == 1:
                print(one_line(hypotheses[0].text), file=output, flush=not options.output)
                continue
            for hypothesis in hypotheses:
                line = f"{number}\t{hypothesis.score:.4f}\t{one_line(hypothesis.text)}"
                print(line, file=output, flush=not options.output)


def one_line(text):
    """The text without line breaks, which a model that spells bytes may write: line n stays the translation of n."""
    return " ".join(text.splitlines())


def evaluate_command(options):
    from keras_transformer.decoding import Translator
    from keras_transformer.evaluation import evaluate

    translator = Translator.load(options.run, DecodingConfig(**given(options, DecodingConfig)))
    result = evaluate(translator, options.source, options.target)
    if options.json:
        rates = {"sentences": len(result.translations), "sentences_per_second": round(result.sentences_per_second, 2)}
        print(json.dumps({**dataclasses.asdict(result.scores), **rates}))
    else:
        print(f"{result.scores}\n{len(result.translations)} sentences, {result.sentences_per_second:.1f} a second")
