"""One training step, ours on each backend beside Hugging Face's MarianMTModel.

    python -m benchmarks.training --presets tiny base --dtypes float32 mixed_bfloat16

A step is forward, loss, backward, Adam. Both sides have the same sizes, batch, dropout
and label smoothing, and random ids without padding. Each contender is a process of its
own; they take turns. Prints a table of target tokens per second, medians over the
rounds. With --peak the share of the fastest matrix product of each backend stands
beside, from the operations of `benchmarks.formulas`.
"""

import argparse
import statistics
import time

import numpy as np

from benchmarks.formulas import flops_per_token
from benchmarks.paired import Contender, heading, serve, take_turns
from keras_transformer.config import PRESETS, TrainingConfig, preset
from keras_transformer.text.special_tokens import END

VOCABULARY = 8000
SHAPES = {"tiny": (128, 16), "small": (128, 16)}  # rows, tokens
SHAPE = (64, 32)  # of the others
STEPS = {"tiny": 8, "small": 4}  # in one turn; otherwise 2


def our_step(config, training, source, target, labels):
    """`step()` of the model that `train` compiles, with its metrics."""
    import keras

    from keras_transformer.models.transformer import Transformer
    from keras_transformer.training.recipe import compile_for_training

    keras.utils.set_random_seed(training.seed)
    model = Transformer(config, dtype=training.dtype)
    model = compile_for_training(model, training, loss_reduction="sum")
    inputs = {"source_ids": source, "target_ids": target}
    weights = np.full(labels.shape, 1 / labels.size, "float32")

    def step():
        found = model.train_on_batch(inputs, labels, weights, return_dict=True)
        return float(found["loss"])

    return step


def marian_step(config, training, source, target, labels):
    """`step()` of Marian under torch, in bfloat16 by autocast."""
    import torch

    from benchmarks.marian import new_marian

    torch.manual_seed(training.seed)
    model = new_marian(config).train()
    # The learning rate is a schedule on our side and a number here.
    optimizer = torch.optim.Adam(
        model.parameters(), lr=1e-4, betas=(0.9, 0.98), eps=1e-9, fused=True
    )
    source, target, labels = (
        torch.as_tensor(ids, dtype=torch.int64) for ids in (source, target, labels)
    )
    mask = torch.ones_like(source)

    def step():
        with torch.autocast(
            "cpu", torch.bfloat16, enabled=training.dtype == "mixed_bfloat16"
        ):
            logits = model(
                input_ids=source,
                attention_mask=mask,
                decoder_input_ids=target,
                use_cache=False,
            ).logits
        loss = torch.nn.functional.cross_entropy(
            logits.float().flatten(0, 1),
            labels.flatten(),
            label_smoothing=training.label_smoothing,
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return float(loss.detach())

    return step


def model_and_batch(size):
    """The sizes of a model; ids of sources, targets and labels, `(3, rows, tokens)`."""
    config = preset(size, source_vocab_size=VOCABULARY, target_vocab_size=VOCABULARY)
    shape = (3, *SHAPES.get(size, SHAPE))
    random = np.random.default_rng(0)
    return config, random.integers(END + 1, VOCABULARY, shape, "int32")


def contend(name, size, dtype):
    from benchmarks.peak import matrix_peak

    config, ids = model_and_batch(size)
    _, rows, tokens = ids.shape
    make = marian_step if name == "marian" else our_step
    step = make(config, TrainingConfig(dtype=dtype), *ids)
    step()
    steps = STEPS.get(size, 2)
    flops = flops_per_token(config, tokens)

    def work():
        step()  # the system may have taken memory back while the others worked
        begin = time.perf_counter()
        losses = [step() for _ in range(steps)]
        speed = steps * rows * tokens / (time.perf_counter() - begin)
        # In its own turn, while the other contenders wait.
        peak = matrix_peak(dtype.removeprefix("mixed_"))
        share = speed * flops / peak
        return {"tokens_per_second": speed, "share": share, "loss": losses[-1]}

    serve(work)


def middle(answers, name):
    """The median of a figure; the first answer, which compiles, does not count."""
    return statistics.median(answer[name] for answer in answers[1:])


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--presets", nargs="+", default=["tiny", "base"], choices=PRESETS
    )
    parser.add_argument("--dtypes", nargs="+", default=["float32", "mixed_bfloat16"])
    parser.add_argument("--backends", nargs="+", default=["jax", "tensorflow", "torch"])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--peak", action="store_true", help="show its shares, too")
    parser.add_argument("--contender", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.contender:
        return contend(options.contender, options.presets[0], options.dtypes[0])

    names = [*options.backends, "marian"]
    print(heading(names))
    columns = " | ".join(f"{name}, tokens/s" for name in names)
    print(f"| preset | dtype | {columns} | best / marian |")
    print("|---|---|" + "---|" * (len(names) + 1))
    for size in options.presets:
        for dtype in options.dtypes:
            arguments = ["--presets", size, "--dtypes", dtype]
            answers = take_turns(
                [Contender(name, "training", arguments) for name in names],
                options.rounds,
            )
            speed = {n: middle(answers[n], "tokens_per_second") for n in names}
            best = max(options.backends, key=speed.get)
            cells = " | ".join(
                f"{speed[name]:,.0f} ({speed[name] / speed['marian']:.2f})"
                for name in names
            )
            ratio = speed[best] / speed["marian"]
            row = f"| {size} | {dtype} | {cells} | {ratio:.2f} ({best}) |"
            print(row, flush=True)
            if options.peak:
                shares = " | ".join(f"{middle(answers[n], 'share'):.0%}" for n in names)
                print(f"| | of the peak | {shares} | |", flush=True)


if __name__ == "__main__":
    main()
