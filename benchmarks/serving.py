"""Every engine that serves the same run: size on disk, and sentences per second.

    python -m benchmarks.serving RUN --source FILE

Requests are of 1, 8 and 32 sentences. All that search by beam have beam 4 and the
penalty length^alpha; the ONNX loop is greedy. Everything is in float32 where the name
says no other type. Each engine is a process of its own, and they take turns. The first
rounds are not counted: there the engines compile, at once or what comes often. Prints a
table, medians over the others.
"""

import argparse
import itertools
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.decoding import marian_translate, our_translate
from benchmarks.paired import Contender, heading, serve, take_turns
from keras_transformer.config import DecodingConfig

SIZES = (1, 8, 32)  # sentences of a request
KERAS = {f"Keras on {name}": name for name in ("tensorflow", "jax", "torch")}
QUANTIZATIONS = ("float32", "bfloat16", "int8")
MARIAN = "MarianMTModel"  # Hugging Face's, in torch
ENGINES = [
    *KERAS,
    MARIAN,
    "SavedModel",
    "SavedModel by XLA",
    *(f"CTranslate2 {name}" for name in QUANTIZATIONS),
    "ONNX, greedy",
]


def write_export(name, run, folder):
    """The directory of an engine."""
    from keras_transformer import export

    if name in (*KERAS, MARIAN):
        return run
    out = folder / name
    if name.startswith("SavedModel"):
        export.saved_model(run, out, xla=name.endswith("XLA"), penalty="power")
    elif name.startswith("CTranslate2"):
        export.ctranslate2(run, out, name.split()[1])
    else:
        export.onnx(run, out)
    return out


def engine(name, place):
    """A function from sentences to translations, one for all sizes as in a server."""
    config = DecodingConfig(penalty="power", batch_size=max(SIZES))
    if name in KERAS:
        return our_translate(place, "float32", config)
    if name == MARIAN:
        return marian_translate(place, "float32", config)
    if name.startswith("SavedModel"):
        import tensorflow as tf
        import tensorflow_text  # noqa: F401

        # Alive as long as the function is.
        loaded = tf.saved_model.load(str(place / "1"))

        def translate(texts):
            found = loaded.signatures["serving_default"](text=tf.constant(texts))
            return [text.decode() for text in found["translation"].numpy()]

        return translate
    if name.startswith("CTranslate2"):
        from keras_transformer.export import CTranslate2Translator

        return CTranslate2Translator.load(place, batch_size=max(SIZES))
    return onnx_engine(place)


def onnx_engine(place):
    from keras_transformer.decoding.batching import pad
    from keras_transformer.export.onnx_loop import OnnxTransformer
    from keras_transformer.runs.run import read_tokenizers
    from keras_transformer.text.special_tokens import END, PAD

    source, target = read_tokenizers(place)
    model = OnnxTransformer(place)

    def translate(texts):
        ids = [[*row, END] for row in source.encode(texts)]
        source_ids = pad(ids, len(ids), max(map(len, ids)), PAD)
        return target.decode(model.greedy(source_ids).tolist())

    return translate


def contend(name, place, source, sentences):
    from keras_transformer.text.lines import read_lines

    lines = list(itertools.islice(read_lines(source), sentences))
    translate = engine(name, place)

    def work():
        answer = {}
        translations = []
        for size in SIZES:
            begin = time.perf_counter()
            for start in range(0, len(lines), size):
                translations += translate(lines[start : start + size])
            answer[f"seconds of {size}"] = time.perf_counter() - begin
        return {**answer, "translations": translations}

    serve(work)


def backend_of(name):
    return KERAS.get(name, "torch" if name == MARIAN else "tensorflow")


def size_on_disk(place, name):
    files = (
        [place / "model.keras"]
        if name in (*KERAS, MARIAN)
        else [path for path in place.rglob("*") if path.is_file()]
    )
    return sum(path.stat().st_size for path in files) / 1e6


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", metavar="RUN", help="directory of a trained model")
    parser.add_argument(
        "--source", required=True, help="sentences, one a line; plain or .gz"
    )
    parser.add_argument(
        "--sentences", type=int, default=128, help="only the first so many"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--warm", type=int, default=16, help="rounds before these")
    parser.add_argument("--engines", nargs="+", default=ENGINES, choices=ENGINES)
    parser.add_argument("--contender", help=argparse.SUPPRESS)
    options = parser.parse_args()
    run = Path(options.run).resolve()
    source = Path(options.source).resolve()
    if options.contender:
        return contend(options.contender, run, source, options.sentences)

    with tempfile.TemporaryDirectory() as folder:
        places = {
            name: write_export(name, run, Path(folder)) for name in options.engines
        }
        contenders = [
            Contender(
                name,
                "serving",
                [
                    str(places[name]),
                    "--source",
                    str(source),
                    "--sentences",
                    str(options.sentences),
                ],
                backend=backend_of(name),
            )
            for name in options.engines
        ]
        answers = take_turns(contenders, options.warm + options.rounds - 1)
        sizes = {name: size_on_disk(places[name], name) for name in options.engines}
    print(heading(["tensorflow", "jax", "torch", "ctranslate2", "onnxruntime"]))
    print(
        f"{options.sentences} sentences, beam 4; "
        f"the same: how many translations are those of {options.engines[0]}\n"
    )
    columns = " | ".join(f"requests of {size}, sentences/s" for size in SIZES)
    print(f"| engine | MB on disk | {columns} | the same |")
    print("|---|---|---|---|---|---|")
    expected = answers[options.engines[0]][0]["translations"]
    for name in options.engines:
        seconds = [
            statistics.median(
                answer[f"seconds of {size}"] for answer in answers[name][options.warm :]
            )
            for size in SIZES
        ]
        rates = " | ".join(f"{options.sentences / second:.1f}" for second in seconds)
        same = statistics.mean(
            a == b
            for a, b in zip(answers[name][0]["translations"], expected, strict=True)
        )
        print(f"| {name} | {sizes[name]:.1f} | {rates} | {same:.1%} |")


if __name__ == "__main__":
    main()
