"""Beam search, ours on each backend beside `generate` of Hugging Face's MarianMTModel.

    python -m benchmarks.decoding RUN --source FILE

The same weights, sentences, batch size, order by length, beam, limit and length penalty
(length^alpha, the only one that `generate` has). Each contender is a process of its
own; a first pass, which compiles, is not counted, then they take turns. Prints a table
of sentences per second, medians over the rounds, and how many translations equal
Marian's.
"""

import argparse
import itertools
import statistics
import time
from pathlib import Path

from benchmarks.paired import Contender, heading, serve, take_turns
from keras_transformer.config import DecodingConfig
from keras_transformer.runs.run import Run
from keras_transformer.text.special_tokens import END, PAD


def our_translate(run, dtype, config):
    from keras_transformer.decoding.translator import Translator

    run = Run.open(run)
    return Translator(run.model(dtype), *run.tokenizers, config=config)


def marian_translate(run, dtype, config):
    import torch

    from benchmarks.marian import marian_of

    run = Run.open(run)
    source_tokenizer, target_tokenizer = run.tokenizers
    device = "cuda" if torch.cuda.is_available() else "cpu"
    marian = marian_of(run.model(dtype)).to(device)

    def batch_ids(sources):
        ids = [torch.tensor([*source, END]) for source in sources]
        ids = torch.nn.utils.rnn.pad_sequence(ids, batch_first=True, padding_value=PAD)
        ids = ids.to(device)
        return marian.generate(
            input_ids=ids,
            attention_mask=(ids != PAD).long(),
            num_beams=config.beam,
            length_penalty=config.length_penalty,
            max_new_tokens=ids.shape[1] + config.extra_length,
            early_stopping=False,
            do_sample=False,
        ).tolist()

    def translate(lines):
        sources = source_tokenizer.encode(lines)
        order = sorted(range(len(lines)), key=lambda n: len(sources[n]))
        found = {}
        with (
            torch.inference_mode(),
            torch.autocast(device, torch.bfloat16, enabled=dtype != "float32"),
        ):
            for start in range(0, len(order), config.batch_size):
                batch = order[start : start + config.batch_size]
                found.update(
                    zip(batch, batch_ids([sources[n] for n in batch]), strict=True)
                )
        return target_tokenizer.decode([found[n] for n in range(len(lines))])

    return translate


def contend(name, run, source, options):
    from keras_transformer.text.lines import read_lines

    lines = list(itertools.islice(read_lines(source), options.sentences))
    config = DecodingConfig(penalty="power", batch_size=options.batch_size)
    translate = (marian_translate if name == "marian" else our_translate)(
        run, options.dtype, config
    )

    def work():
        begin = time.perf_counter()
        translations = translate(lines)
        return {"seconds": time.perf_counter() - begin, "translations": translations}

    serve(work)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", metavar="RUN", help="directory of a trained model")
    parser.add_argument(
        "--source", required=True, help="sentences, one a line; plain or .gz"
    )
    parser.add_argument("--sentences", type=int, help="only the first so many")
    parser.add_argument("--batch-size", type=int, default=DecodingConfig().batch_size)
    parser.add_argument(
        "--dtype", default="float32", choices=["float32", "mixed_bfloat16"]
    )
    parser.add_argument("--backends", nargs="+", default=["jax", "tensorflow", "torch"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--contender", help=argparse.SUPPRESS)
    options = parser.parse_args()
    run = Path(options.run).resolve()
    source = Path(options.source).resolve()
    if options.contender:
        return contend(options.contender, run, source, options)

    names = [*options.backends, "marian"]
    arguments = [
        str(run),
        "--source",
        str(source),
        "--dtype",
        options.dtype,
        "--batch-size",
        str(options.batch_size),
    ]
    arguments += ["--sentences", str(options.sentences)] if options.sentences else []
    answers = take_turns(
        [Contender(name, "decoding", arguments) for name in names], options.rounds
    )
    seconds = {
        name: statistics.median(a["seconds"] for a in answers[name][1:])
        for name in names
    }
    expected = answers["marian"][0]["translations"]
    print(heading(names))
    beam = DecodingConfig().beam
    print(
        f"{len(expected)} sentences, {options.dtype}, beam {beam}, "
        f"batches of {options.batch_size}\n"
    )
    print(
        "| | first pass, s | warm pass, s | sentences/s | ratio to marian "
        "| same as marian |"
    )
    print("|---|---|---|---|---|---|")
    for name in names:
        first = answers[name][0]
        warm = seconds[name]
        same = statistics.mean(
            a == b for a, b in zip(first["translations"], expected, strict=True)
        )
        ratio = seconds["marian"] / warm
        rate = len(expected) / warm
        print(
            f"| {name} | {first['seconds']:.1f} | {warm:.1f} | {rate:.1f} "
            f"| {ratio:.2f} | {same:.1%} |"
        )


if __name__ == "__main__":
    main()
