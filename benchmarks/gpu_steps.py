"""The steps of `benchmarks.on_gpu`: each prints its figures as lines of JSON."""

import argparse
import dataclasses
import itertools
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

PACKAGES = "keras jax tensorflow torch transformers ctranslate2 sentencepiece".split()


def tell(**figures):
    print(json.dumps(figures), flush=True)


def installs(options):
    """Versions, and the GPU that the driver names."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "missing"
    tell(**found)
    if options.rehearse:
        return
    query = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total"]
    answer = subprocess.run([*query, "--format=csv,noheader"], capture_output=True)
    if answer.returncode:
        sys.exit("nvidia-smi finds no GPU")
    tell(gpu=answer.stdout.decode().strip())


def need_gpu(options):
    """End this step unless the backend sees a GPU, or nothing but the way is tried."""
    backend = os.environ["KERAS_BACKEND"]
    if backend == "jax":
        import jax

        sees = jax.default_backend() == "gpu"
    elif backend == "tensorflow":
        import tensorflow as tf

        sees = bool(tf.config.list_physical_devices("GPU"))
    else:
        import torch

        sees = torch.cuda.is_available()
    if not sees and not options.rehearse:
        sys.exit(f"{backend} sees no GPU")


def random_batch(rows, length, vocabulary):
    """Inputs and labels of random ids without padding, and their weights."""
    import numpy as np

    shape = (3, rows, length)
    ids = np.random.default_rng(0).integers(4, vocabulary, shape, "int32")
    inputs = {"source_ids": ids[0], "target_ids": ids[1]}
    return inputs, ids[2], np.full((rows, length), 1 / ids[2].size, "float32")


def compiled(size, vocabulary, dtype, **changes):
    from keras_transformer.config import TrainingConfig
    from keras_transformer.models.transformer import Transformer
    from keras_transformer.training.recipe import compile_for_training

    config = dataclasses.replace(config_of(size, vocabulary), **changes)
    model = Transformer(config, dtype=dtype)
    training = TrainingConfig(dtype=dtype, warmup_updates=100)
    return compile_for_training(model, training, loss_reduction="sum")


def correct(options):
    """CPU = GPU, mixed precision = float32, a resumed run = one that was not ended."""
    import keras
    import numpy as np

    from keras_transformer.models.transformer import Transformer

    need_gpu(options)
    inputs, labels, weights = random_batch(8, 24, 500)
    model = compiled("tiny", 500, "float32", dropout=0.0)
    logits = keras.ops.convert_to_numpy(model(inputs))
    with keras.device("cpu"):
        copy = Transformer(model.config)
        copy.set_weights(model.get_weights())
        expected = keras.ops.convert_to_numpy(copy(inputs))
    difference = float(np.abs(logits - expected).max())
    tell(logits_differ=difference)
    half = compiled("tiny", 500, "mixed_bfloat16", dropout=0.0)
    half.set_weights(model.get_weights())
    losses = []
    for one in (model, half):
        for _ in range(5):
            loss = one.train_on_batch(inputs, labels, weights, return_dict=True)["loss"]
        losses.append(float(loss))
    tell(loss_float32=losses[0], loss_bfloat16=losses[1])
    moved = resumed_differs(options)
    tell(resumed_differs=moved)
    # Products of a GPU may be in TF32.
    if difference > 2e-2 or abs(losses[1] / losses[0] - 1) > 0.02 or moved > 0:
        sys.exit("a difference is too large")


def resumed_differs(options):
    """The largest difference of two runs of 2 epochs, one of them ended after 1."""
    import numpy as np

    from keras_transformer.config import DataConfig, TrainingConfig
    from keras_transformer.data.examples import captions
    from keras_transformer.runs.sealed_files import load_arrays
    from keras_transformer.text.lines import read_lines
    from keras_transformer.training.train import train

    folder = options.out / f"resumed-{os.environ['KERAS_BACKEND']}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    # Of nearly one length, so that few shapes are compiled.
    pairs = sorted(zip(*map(read_lines, captions("valid"))), key=length_of)[200:264]
    files = [folder / name for name in ("source", "target")]
    for path, lines in zip(files, zip(*pairs)):
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    given = dict(model="tiny", data=DataConfig(vocab_size=200, valid_size=16))
    one = TrainingConfig(epochs=1, keep_last=1)
    two = dataclasses.replace(one, epochs=2)
    train(folder / "whole", *files, training=two, **given)
    train(folder / "ended", *files, training=one, **given)
    train(folder / "ended", *files, training=two, resume=True, **given)
    ends = []
    for run in ("whole", "ended"):
        path = max((folder / run / "checkpoints").glob("batch-*.safetensors"))
        ends.append(load_arrays(path)[0]["model"])
    return max(float(np.abs(a - b).max()) for a, b in zip(*ends))


def length_of(pair):
    return sum(map(len, pair))


def speed(options):
    """Tokens a second, share of the peak and memory of base and big in bfloat16."""
    from benchmarks.formulas import flops_per_token
    from benchmarks.peak import matrix_peak

    need_gpu(options)
    peak = matrix_peak("bfloat16", size=256 if options.rehearse else 8192)
    tell(peak_tflops=peak / 1e12)
    sizes = {"base": 256, "big": 128}
    length = 64
    vocabulary = 32_000
    steps = 10
    if options.rehearse:
        sizes = {"tiny": 4}
        length = 8
        vocabulary = 50
        steps = 1
    # What matters most comes first: time may end. "auto" is Keras's choice of a kernel
    # of attention, flash where it can; "plain" is products and a softmax.
    cases = [(size, "auto") for size in sizes]
    cases.append((next(iter(sizes)), "plain"))
    for size, kernel in cases:
        batch = random_batch(sizes[size], length, vocabulary)
        tokens = timed(size, vocabulary, batch, kernel, steps)
        flops = flops_per_token(config_of(size, vocabulary), length)
        name = f"{size}_{kernel}"
        tell(**{f"{name}_tokens_per_second": tokens})
        tell(**{f"{name}_share_of_peak": tokens * flops / peak})
        tell(**{f"{name}_memory_gb": peak_memory() / 1e9})


def config_of(size, vocabulary):
    from keras_transformer.config import preset

    return preset(size, source_vocab_size=vocabulary, target_vocab_size=vocabulary)


def timed(size, vocabulary, batch, kernel, steps):
    """Target tokens a second of the training step, compiled before."""
    import keras

    if kernel == "plain":
        keras.config.disable_flash_attention()
    else:
        keras.config.enable_flash_attention()
    model = compiled(size, vocabulary, "mixed_bfloat16")
    model.train_on_batch(*batch)
    begin = time.perf_counter()
    for _ in range(steps):
        losses = model.train_on_batch(*batch)
    float(losses[0])  # waits for a GPU
    return steps * batch[1].size / (time.perf_counter() - begin)


def peak_memory():
    """Bytes: the most that was in use on the GPU, or of this process."""
    backend = os.environ["KERAS_BACKEND"]
    if backend == "jax":
        import jax

        found = jax.devices()[0].memory_stats()
        if found:
            return found["peak_bytes_in_use"]
    if backend == "tensorflow":
        import tensorflow as tf

        if tf.config.list_physical_devices("GPU"):
            return tf.config.experimental.get_memory_info("GPU:0")["peak"]
    if backend == "torch":
        import torch

        if torch.cuda.is_available():
            return torch.cuda.max_memory_allocated()
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def corpus(options, split):
    """Source and target of a split: of Multi30k if it is given, else the bundled."""
    if options.multi30k is None:
        from keras_transformer.data.examples import captions

        return captions(split)
    name = {"valid": "val", "test": "test_2016_flickr"}.get(split, split)
    return [options.multi30k / f"{name}.{side}.gz" for side in ("en", "de")]


def quality(options):
    """BLEU of a model trained for half a minute."""
    from keras_transformer.config import DataConfig, TrainingConfig
    from keras_transformer.evaluation.evaluate import evaluate
    from keras_transformer.training.train import train

    need_gpu(options)
    shutil.rmtree(options.out / "run", ignore_errors=True)
    # The paper's rate is for larger models and batches.
    how = dict(dtype="mixed_bfloat16", warmup_updates=500, learning_rate_scale=2.0)
    training = TrainingConfig(max_minutes=0.6, **how)
    data = DataConfig(vocab_size=8000, batch_tokens=8192)
    if options.rehearse:
        training = TrainingConfig(max_updates=4, epochs=1)
        data = DataConfig(vocab_size=300)
    train(
        options.out / "run",
        *corpus(options, "train"),
        *corpus(options, "valid"),
        model="tiny",
        data=data,
        training=training,
    )
    tell(corpus="captions" if options.multi30k is None else "Multi30k")
    if not options.rehearse:
        found = evaluate(options.out / "run", *corpus(options, "test"))
        tell(bleu=found.bleu)


def translate(options):
    """Sentences a second of the run of `quality`, beam 4, by one engine."""
    from keras_transformer.text.lines import read_lines

    number = 4 if options.rehearse else 256
    source, _ = corpus(options, "test")
    lines = list(itertools.islice(read_lines(source), number))
    engine = engine_of(options)
    engine(lines)
    begin = time.perf_counter()
    found = engine(lines)
    tell(sentences_per_second=len(found) / (time.perf_counter() - begin))


def engine_of(options):
    """A function from sentences to translations."""
    from keras_transformer.config import DecodingConfig
    from keras_transformer.decoding.translator import Translator
    from keras_transformer.runs.run import Run

    run = options.out / "run"
    if not run.is_dir():
        sys.exit("there is no trained run: the step quality failed")
    extra = 2 if options.rehearse else 50
    config = DecodingConfig(penalty="power", batch_size=64, extra_length=extra)
    if options.what == "ctranslate2":
        from keras_transformer.export import CTranslate2Translator, ctranslate2

        folder = options.out / "ctranslate2"
        ctranslate2(run, folder, overwrite=True)
        return CTranslate2Translator.load(folder, batch_size=64, extra_length=extra)
    need_gpu(options)
    if options.what == "marian":
        from benchmarks.decoding import marian_translate

        return marian_translate(run, "float32", config)
    run = Run.open(run)
    return Translator(run.model("float32"), *run.tokenizers, config=config)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("step")
    parser.add_argument("what", nargs="?", default="")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--multi30k", type=Path)
    parser.add_argument("--rehearse", action="store_true")
    options = parser.parse_args()
    named = (installs, correct, speed, quality, translate)
    {step.__name__: step for step in named}[options.step](options)


if __name__ == "__main__":
    main()
