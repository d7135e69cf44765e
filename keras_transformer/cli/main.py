"""The command `keras-transformer`: demo, train, translate, evaluate, export, import, app."""

import argparse
import contextlib
import dataclasses
import json
import os
import sys
import warnings
from pathlib import Path

from keras_transformer import __version__
from keras_transformer.cli.allocator import keep_freed_memory
from keras_transformer.cli.flags import (
    TRAIN_FILES,
    TRAIN_GROUPS,
    add_config_flags,
    given,
    read_toml,
)
from keras_transformer.cli.output import rows_of
from keras_transformer.cli.shards import (
    is_done,
    join_parts,
    parse_shard,
    share,
    write_part,
)
from keras_transformer.cli.startup import choose_backend, import_keras
from keras_transformer.config import (
    DISTRIBUTIONS,
    PRESETS,
    DataConfig,
    DecodingConfig,
    TrainingConfig,
    preset,
)
from keras_transformer.runs.run import Run
from keras_transformer.runs.sealed_files import new_file
from keras_transformer.text.lines import read_lines

# Errors whose message says all; others show their type.
EXPECTED = (ValueError, OSError, ImportError, ArithmeticError)


class Parser(argparse.ArgumentParser):
    """An `ArgumentParser` whose errors are as short as all others."""

    def error(self, message):
        raise ValueError(f"{message} (see {self.prog} --help)")


def main(arguments=None):
    """Run a command line; give the exit status: 0, or 2 after one line that says what is wrong."""
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *rest: print(
            f"keras-transformer: warning: {message}", file=sys.stderr
        )
        try:
            parser = build_parser()
            options, rest = parser.parse_known_args(arguments)
            if "text" in options and not any(word.startswith("-") for word in rest):
                options.text += rest  # argparse takes no TEXT after a flag
            elif rest:
                parser.error(f"unrecognized arguments: {' '.join(rest)}")
            # Without, it starts at once.
            if options.command is not translate_command or options.runtime == "keras":
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
    parser.add_argument(
        "--version", action="version", version=f"%(prog)s {__version__}"
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    demo = commands.add_parser(
        "demo", help="train a small model on the bundled corpus and show what it can do"
    )
    demo.add_argument(
        "run",
        nargs="?",
        default="demo-run",
        metavar="RUN",
        help="directory to make (default: demo-run)",
    )
    demo.add_argument(
        "--overwrite", action="store_true", help="replace the run if it exists"
    )
    demo.set_defaults(command=demo_command)

    train = commands.add_parser(
        "train",
        help="train a model on two text files",
        argument_default=argparse.SUPPRESS,
    )
    add_train_flags(train)
    train.set_defaults(command=train_command)

    translate = commands.add_parser(
        "translate", help="translate sentences with a trained run"
    )
    add_runtime(translate)
    translate.add_argument(
        "text",
        nargs="*",
        metavar="TEXT",
        help="sentences; standard input when none and no --input",
    )
    translate.add_argument(
        "--input", metavar="FILE", help="file of sentences, one a line (plain or .gz)"
    )
    translate.add_argument(
        "--output", metavar="FILE", help="file to write (default: standard output)"
    )
    translate.add_argument(
        "--shard",
        metavar="K/N",
        help="translate every N-th line from the K-th, counted from 0, and leave a part of the output; the last to end "
        "joins the parts (default: as a launcher of several processes says)",
    )
    translate.add_argument(
        "--alignments",
        action="store_true",
        help="add a column: linked words, source-target from 0, as 0-0 1-2",
    )
    translate.add_argument(
        "--token-scores",
        action="store_true",
        help="add a column: each token with its log-probability in nats",
    )
    add_config_flags(translate, DecodingConfig, "search")
    translate.set_defaults(command=translate_command)

    evaluate = commands.add_parser(
        "evaluate", help="translate a test set and score it with sacreBLEU"
    )
    add_runtime(evaluate)
    evaluate.add_argument(
        "--source",
        required=True,
        metavar="FILE",
        help="test sentences (or a .tsv of both sides)",
    )
    evaluate.add_argument(
        "--target", metavar="FILE", help="their reference translations"
    )
    evaluate.add_argument("--json", action="store_true", help="print one JSON object")
    add_config_flags(evaluate, DecodingConfig, "search")
    evaluate.set_defaults(command=evaluate_command)

    export = commands.add_parser(
        "export", help="write a trained run as a model that a production engine reads"
    )
    export.add_argument(
        "run", metavar="RUN", help="directory that train, demo or import made"
    )
    export.add_argument("out", metavar="OUT", help="directory to make")
    formats = ["saved_model", "ctranslate2", "onnx", "huggingface"]
    export.add_argument("--to", required=True, choices=formats, help="what to write")
    export.add_argument(
        "--overwrite", action="store_true", help="replace the export if it exists"
    )
    export.add_argument(
        "--quantization",
        choices=["float32", "float16", "bfloat16", "int8"],
        default=argparse.SUPPRESS,
        help="ctranslate2: how the weights are stored (default: float32)",
    )
    add_config_flags(
        export,
        DecodingConfig,
        "search: saved_model, for good; ctranslate2, unless told otherwise",
    )
    export.set_defaults(command=export_command)

    add_import(commands)

    app = commands.add_parser(
        "app", help="serve a page to type sentences into, on this machine"
    )
    app.add_argument(
        "run", metavar="RUN", help="directory that train, demo or import made"
    )
    app.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on (default: 127.0.0.1, this machine only)",
    )
    app.add_argument("--port", type=int, default=7860, help="port (default: 7860)")
    app.set_defaults(command=app_command)
    return parser


def add_import(commands):
    parser = commands.add_parser(
        "import",
        help="make a run of a checkpoint of Marian, FSMT, M2M100, NLLB or mBART",
    )
    parser.add_argument(
        "source",
        metavar="SOURCE",
        help="folder of a Hugging Face checkpoint, or its name on the hub",
    )
    parser.add_argument("run", metavar="RUN", help="directory to make")
    for side, what in (("source", "from"), ("target", "into")):
        parser.add_argument(
            f"--{side}-lang",
            metavar="CODE",
            help=f"language to translate {what}, if it has several",
        )
    parser.add_argument(
        "--revision", metavar="REVISION", help="branch, tag or commit on the hub"
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace the run if it exists"
    )
    parser.set_defaults(command=import_command)


def add_runtime(parser):
    parser.add_argument(
        "run",
        metavar="RUN",
        help="directory that train, demo or import made; with --runtime ctranslate2, one that export made",
    )
    parser.add_argument(
        "--runtime",
        choices=["keras", "ctranslate2"],
        default="keras",
        help="what computes",
    )


def load_translator(options):
    """The translator that the options ask for; CTranslate2's without an import of Keras."""
    search = given(options, DecodingConfig)
    if options.runtime == "ctranslate2":
        from keras_transformer.export import CTranslate2Translator

        return CTranslate2Translator.load(options.run, **search)
    from keras_transformer.decoding.translator import Translator

    return Translator.load(options.run, DecodingConfig(**search))


def add_train_flags(parser):
    parser.add_argument(
        "run",
        metavar="RUN",
        help="directory to make: it will hold all that belongs to the model",
    )
    for name, help in TRAIN_FILES.items():
        parser.add_argument("--" + name.replace("_", "-"), metavar="FILE", help=help)
    parser.add_argument(
        "--preset", choices=PRESETS, help="size of the model (default: tiny)"
    )
    parser.add_argument(
        "--config",
        metavar="FILE",
        help="TOML file of the same names: source, target, preset, [model], [data], [training]",
    )
    parser.add_argument(
        "--distribute",
        choices=DISTRIBUTIONS,
        default="auto",
        help="data: every device takes a share of each batch; model: devices share one model (JAX); none: one device; "
        "auto: data where there are several (default)",
    )
    parser.add_argument(
        "--model-devices",
        type=int,
        metavar="N",
        help="--distribute model: devices that share one model",
    )
    existing = parser.add_mutually_exclusive_group()
    existing.add_argument(
        "--overwrite", action="store_true", help="replace the run if it exists"
    )
    existing.add_argument(
        "--resume",
        action="store_true",
        help="continue the run where it was interrupted; begin it if there is none",
    )
    parser.add_argument(
        "--init-from",
        metavar="RUN",
        help="begin with the tokenizer and weights of another run",
    )
    for kind, title in TRAIN_GROUPS.values():
        add_config_flags(parser, kind, title)


def train_command(options):
    settings = read_toml(options.config) if "config" in options else {}
    files = {name: getattr(options, name, settings.get(name)) for name in TRAIN_FILES}
    tables = {
        name: {**settings.get(name, {}), **given(options, kind)}
        for name, (kind, _) in TRAIN_GROUPS.items()
    }
    resume, init_from = "resume" in options, getattr(options, "init_from", None)
    own = (
        options.run
        if resume and (Path(options.run) / "config.json").is_file()
        else init_from
    )
    size = getattr(options, "preset", settings.get("preset"))
    begun = None if own is None else Run.open(own).config
    if own is None and files["source"] is None:
        raise ValueError("--source is needed: a file of source sentences")
    if own is None or size is not None:
        model = preset(size or "tiny", **tables["model"])
    else:
        model = dataclasses.replace(begun.model, **tables["model"])
    # A run that goes on keeps what is not given; one that begins with another's weights
    # has that one's data settings.
    data = dataclasses.replace(
        DataConfig() if own is None else begun.data, **tables["data"]
    )
    goes_on = own is not None and own == options.run
    training = dataclasses.replace(
        begun.training if goes_on else TrainingConfig(), **tables["training"]
    )

    from keras_transformer.distribution.distribute import distribute
    from keras_transformer.training.train import train

    distribution = distribute(
        options.distribute, getattr(options, "model_devices", None)
    )
    flags = dict(
        overwrite="overwrite" in options,
        resume=resume,
        init_from=init_from,
        distribution=distribution,
    )
    train(options.run, **files, model=model, data=data, training=training, **flags)
    if distribution.process == 0:
        print(
            f"\nThe run is in {options.run}. Next:\n  keras-transformer translate {options.run} 'A sentence.'"
        )


# Learns from few updates, and 12,000 pairs of one grammar need no regularisation.
DEMO_MODEL = dict(norm_first=True, dropout=0.0)
DEMO_DATA = DataConfig(vocab_size=1200, batch_tokens=512)
DEMO_TRAINING = TrainingConfig(
    epochs=4, warmup_updates=300, learning_rate_scale=0.5, average_last=1
)


def demo_command(options):
    from keras_transformer.data.corpus import read_pairs
    from keras_transformer.data.examples import captions
    from keras_transformer.evaluation.evaluate import evaluate
    from keras_transformer.training.train import train

    print(
        "Training a model of tiny's sizes on 12,000 pairs of the bundled corpus: a few minutes on two cores."
    )
    files = (*captions("train"), *captions("valid"))
    model = preset("tiny", **DEMO_MODEL)
    train(
        options.run,
        *files,
        model=model,
        data=DEMO_DATA,
        training=DEMO_TRAINING,
        overwrite=options.overwrite,
    )

    source, target = captions("test")
    result = evaluate(options.run, source, target)
    print(
        f"\n500 held-out sentences at {result.sentences_per_second:.1f} a second:\n{result.scores}\n"
    )
    for (sentence, _), translation in list(
        zip(read_pairs(source, target), result.translations)
    )[::100]:
        print(f"  {sentence}\n  -> {translation}\n")
    print(
        "What to type next:\n"
        f"  keras-transformer translate {options.run} 'Two young girls are sitting on a bench.'\n"
        f"  keras-transformer evaluate {options.run} --source {source} --target {target}\n"
        "  keras-transformer train MY-RUN --source train.en --target train.de "
        "--valid-source val.en --valid-target val.de"
    )


def translate_command(options):
    if options.text and options.input:
        raise ValueError("TEXT and --input exclude each other; received both")
    if options.alignments and options.runtime != "keras":
        raise ValueError(
            f"--alignments goes with --runtime keras; received --runtime {options.runtime}"
        )
    shard = shard_of(options)
    if shard[1] > 1:
        return translate_share(options, shard)
    translator = load_translator(options)
    if options.text:
        lines = iter(options.text)
    else:
        lines = (
            read_lines(options.input)
            if options.input
            else read_lines(sys.stdin.buffer, "standard input")
        )
    # Who types a line waits for its translation.
    typed = not options.text and not options.input and sys.stdin.isatty()
    columns = (options.alignments, options.token_scores)
    with (
        new_file(options.output)
        if options.output
        else contextlib.nullcontext(sys.stdout) as output
    ):
        for rows in rows_of(translator, lines, *columns, at_once=typed):
            for row in rows:
                print(row, file=output, flush=not options.output)


def shard_of(options):
    """Which share of the lines to translate: that of --shard, or of this process if a launcher started several."""
    shard = (0, 1)
    if options.shard:
        shard = parse_shard(options.shard)
    elif options.runtime == "keras":
        from keras_transformer.distribution.launcher import launched, take_device

        shard = launched()
        take_device()
    if shard[1] > 1 and not (options.input and options.output):
        raise ValueError(
            f"several processes need --input and --output; received process {shard[0]} of {shard[1]} without"
        )
    return shard


def translate_share(options, shard):
    """Translate a share of a file; join all of them if this was the last one."""
    files = (
        Path(options.input),
        *(Path(options.run) / name for name in ("manifest.json", "model.keras")),
    )
    stamps = [
        [path.stat().st_size, path.stat().st_mtime_ns]
        for path in files
        if path.is_file()
    ]
    columns = [options.alignments, options.token_scores]
    mark = {
        "files": stamps,
        "engine": options.runtime,
        "search": given(options, DecodingConfig),
        "columns": columns,
    }
    if not is_done(options.output, shard, mark):
        lines, (number, count) = share(read_lines(options.input), shard), shard
        rows = rows_of(
            load_translator(options), lines, *columns, first=number + 1, step=count
        )
        write_part(options.output, shard, mark, rows)
    for number in join_parts(options.output, shard, mark):
        print(f"--shard {number}/{shard[1]} is still to be done", file=sys.stderr)


def export_command(options):
    from keras_transformer import export

    search = given(options, DecodingConfig)
    if options.to != "ctranslate2" and "quantization" in options:
        raise ValueError(
            f"--quantization goes with --to ctranslate2; received --to {options.to}"
        )
    if options.to in ("onnx", "huggingface") and search:
        raise ValueError(
            f"--to {options.to} takes no search; received {', '.join(search)}"
        )
    more = {"quantization": options.quantization} if "quantization" in options else {}
    check = getattr(export, options.to)(
        options.run, options.out, overwrite=options.overwrite, **more, **search
    )
    size = sum(
        path.stat().st_size for path in Path(options.out).rglob("*") if path.is_file()
    )
    print(f"{check}\nThe export is in {options.out}: {size / 1e6:.1f} MB.")


def import_command(options):
    from keras_transformer import pretrained

    languages = dict(source_lang=options.source_lang, target_lang=options.target_lang)
    model = pretrained.load(
        options.source,
        options.run,
        **languages,
        revision=options.revision,
        overwrite=options.overwrite,
    )
    print(
        f"{model.count_params():,} parameters. The run is in {options.run}. Next:\n"
        f"  keras-transformer translate {options.run} 'A sentence.'"
    )


def app_command(options):
    from keras_transformer.app.page import serve

    serve(options.run, options.host, options.port)


def evaluate_command(options):
    from keras_transformer.evaluation.evaluate import evaluate

    result = evaluate(load_translator(options), options.source, options.target)
    if options.json:
        rates = {
            "sentences": len(result.translations),
            "sentences_per_second": round(result.sentences_per_second, 2),
        }
        print(json.dumps({**dataclasses.asdict(result.scores), **rates}))
    else:
        print(
            f"{result.scores}\n{len(result.translations)} sentences, {result.sentences_per_second:.1f} a second"
        )
