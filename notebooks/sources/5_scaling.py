# %% [markdown]
# # More than one device
#
# The same training on two devices of TensorFlow's, on eight of JAX's, and in two
# processes of PyTorch's. They are virtual: all are parts of this machine's processor.
# So nothing here gets faster, but the engines are the real ones, and that the result
# does not depend on the number of devices can be seen as well as on a rack of GPUs.
# What real devices would gain is computed at the end.
#
# The formulas are in the clone of the repository, in `benchmarks`.
#
# To open this page, in a clone of the repository:
#
# ```sh
# pip install -e ".[tensorflow,jax,torch,notebooks]" jupyterlab
# jupyter lab notebooks/5_scaling.ipynb
# ```

# %%
import os

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# %matplotlib inline

import dataclasses
import gzip
import json
import logging
import subprocess
import sys
from pathlib import Path

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

import keras_transformer
from keras_transformer import (
    Run,
    TokenBatches,
    Tokenizer,
    TrainingConfig,
    Transformer,
    captions,
    compile_for_training,
    distribute,
    preset,
)

sys.path.insert(0, str(Path(keras_transformer.__file__).parents[1]))
from benchmarks import formulas, planning

logging.getLogger("tensorflow").setLevel("ERROR")
(processor,) = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(
    processor, [tf.config.LogicalDeviceConfiguration()] * 2
)
print([device.name for device in tf.config.list_logical_devices("CPU")])

# %% [markdown]
# ## A batch is shared
#
# The sentences of nine words: about equally long, so that few shapes of batches have to
# be compiled.

# %%
english, german = (
    gzip.open(path, "rt", encoding="utf-8").read().splitlines()
    for path in captions("train")
)
pairs = [pair for pair in zip(english, german) if len(pair[0].split()) == 9]
for name, lines in zip(("train.en", "train.de"), zip(*pairs)):
    Path(name).write_text("\n".join(lines) + "\n", encoding="utf-8")
tokenizer = Tokenizer.train([line for pair in pairs for line in pair], vocab_size=800)
tokenizer.save("tokenizer.model")
data = (*map(list, zip(*pairs)), tokenizer)

*_, weights = TokenBatches.from_lines(*data, batch_tokens=512, seed=1)[0]
print(f"{len(pairs):,} pairs; the first batch: {weights.shape[0]} sentences,", end=" ")
print(f"{(weights > 0).sum()} real target tokens")

# %% [markdown]
# `distribute` chooses the engine: here `MirroredStrategy`, which keeps a copy of the
# model on each device, and cuts each batch into equal numbers of rows. Processes do the
# same before a batch is made: `TokenBatches` are told their `shard` (the number of the
# process, of all, and of the devices of each), and take every second row.

# %%
distribution = distribute("data")
print(f"{distribution}: shard={distribution.shard}")
dataset = distribution.strategy.experimental_distribute_dataset(
    tf.data.Dataset.from_tensors(weights)
)
devices = [
    share.numpy()
    for share in distribution.strategy.experimental_local_results(next(iter(dataset)))
]
processes = [
    TokenBatches.from_lines(*data, batch_tokens=512, seed=1, shard=(n, 2, 1))[0][2]
    for n in (0, 1)
]

owners = {
    "one process, two devices": np.concatenate(
        [(share > 0) * (n + 1) for n, share in enumerate(devices)]
    ),
    "two processes": np.stack(
        [(share > 0) * (n + 1) for n, share in enumerate(processes)], 1
    ).reshape(weights.shape),
}
figure, axes = plt.subplots(1, 2, figsize=(8, 5), layout="constrained")
for panel, (title, owner) in zip(axes, owners.items()):
    panel.imshow(
        owner,
        cmap=plt.matplotlib.colors.ListedColormap(["0.9", "tab:blue", "tab:orange"]),
        aspect="auto",
    )
    panel.set(title=title, xlabel="target token (grey: padding)", ylabel="sentence")

# %% [markdown]
# Sentences differ, so the shares hold different numbers of real tokens. If each device
# took the mean loss of its own tokens, and these means were averaged, a token would
# count more where there are fewer. Therefore each token comes with its weight, 1 /
# (real tokens of the *whole* batch); the devices sum, and the sums add up to the mean
# of all.

# %%
for title, shares in (("devices", devices), ("processes", processes)):
    counts = [int((share > 0).sum()) for share in shares]
    sums = [float(share.sum()) for share in shares]
    print(f"{title:9} real tokens {counts},", end=" ")
    print(f"sums of weights {np.round(sums, 4)}, in all {sum(sums):.4f}")

# %% [markdown]
# ## Two devices learn what one learns
#
# Ten updates with the paper's recipe, first on one device, then on both. Four things
# differ from a `fit` on one device: the model is made and compiled in the
# distribution's `scope`, its loss is the sum over the weighted tokens, `prepare` makes
# its updates those of all devices, and the batches know their `shard`.

# %%
sizes = dict(
    source_vocab_size=tokenizer.vocab_size, target_vocab_size=tokenizer.vocab_size
)
config = preset(
    "tiny",
    encoder_layers=1,
    decoder_layers=1,
    d_model=64,
    d_ff=128,
    num_heads=8,
    norm_first=True,
    dropout=0.0,
    **sizes,
)
keras.utils.set_random_seed(1)
Transformer(config).save_weights("first.weights.h5")

learned = {}
for name, how in (("one device", "none"), ("TensorFlow, two devices", "data")):
    distribution = distribute(how)
    with distribution.scope():
        model = Transformer(config)
        model.load_weights("first.weights.h5")
        first = distribution.arrays(model.trainable_variables)
        recipe = TrainingConfig(warmup_updates=100)
        compile_for_training(model, recipe, loss_reduction="sum")
        distribution.prepare(model)
        batches = TokenBatches.from_lines(
            *data, batch_tokens=512, seed=1, shard=distribution.shard
        )
        print(name)
        model.fit(batches, steps_per_epoch=10, shuffle=False, verbose=2)
    learned[name] = distribution.arrays(model.trainable_variables)

moved = max(
    np.abs(after - before).max() for after, before in zip(learned["one device"], first)
)
apart = max(np.abs(one - two).max() for one, two in zip(*learned.values()))
print(f"largest change of a weight by training {moved:.1g},", end=" ")
print(f"largest difference between one device and two {apart:.1g}")

# %% [markdown]
# What is left is rounding: the same numbers, added in another order.
#
# ## Eight devices under JAX
#
# The same program in a process of its own, in which JAX takes the processor for eight
# devices. It begins with the same weights, and writes down those that it ends with and
# which device holds what. The engine is `keras.distribution.ModelParallel`: with `data`
# in groups of one device; with `model`, four devices share one model, so that there are
# two copies of it.

# %%
program = """
import json, sys
import keras, numpy as np
from keras_transformer import TokenBatches, Tokenizer, TrainingConfig, Transformer
from keras_transformer import TransformerConfig, compile_for_training, distribute

config, how, *model_devices = sys.argv[1:]
config = TransformerConfig(**json.loads(config))
distribution = distribute(how, *map(int, model_devices))
names = ("train.en", "train.de")
lines = [open(name, encoding="utf-8").read().splitlines() for name in names]
tokenizer = Tokenizer.load("tokenizer.model")
with distribution.scope():
    model = Transformer(config)
    model.load_weights("first.weights.h5")
    recipe = TrainingConfig(warmup_updates=100)
    compile_for_training(model, recipe, loss_reduction="sum")
    distribution.prepare(model)
    batches = TokenBatches.from_lines(
        *lines, tokenizer, batch_tokens=512, seed=1, shard=distribution.shard
    )
    model.fit(batches, steps_per_epoch=10, shuffle=False, verbose=0)
np.savez(how + ".npz", *distribution.arrays(model.trainable_variables))
held = {}
for variable in [*model.trainable_variables, *model.optimizer.variables]:
    held[variable.path] = []
    for shard in variable.value.addressable_shards:
        axes = zip(shard.index, variable.shape)
        spans = [axis.indices(size)[:2] for axis, size in axes]
        held[variable.path].append([shard.device.id, shard.data.nbytes, spans])
print(json.dumps([str(distribution), held]))
"""
environment = {
    **os.environ,
    "KERAS_BACKEND": "jax",
    "XLA_FLAGS": "--xla_force_host_platform_device_count=8",
}
held = {}
for how, *model_devices in (["data"], ["model", "4"]):
    command = [
        sys.executable,
        "-c",
        program,
        json.dumps(dataclasses.asdict(config)),
        how,
        *model_devices,
    ]
    ended = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    name, held[how] = json.loads(ended.stdout.splitlines()[-1])
    with np.load(f"{how}.npz") as arrays:
        apart = max(
            np.abs(one - arrays[key]).max()
            for one, key in zip(learned["one device"], arrays)
        )
    print(f"JAX, {how}: {name}; largest difference from", end=" ")
    print(f"one device of TensorFlow {apart:.1g}")

# %% [markdown]
# Which device holds which part of a weight? With `data`, each holds everything. With
# `model`, the projections to queries, keys and values are cut by columns, that is by
# heads, and the projection back by rows; likewise the two layers of the feed-forward
# network. Between two products that are cut like this, nothing has to be exchanged. The
# embeddings are cut by words of the vocabulary; norms are small and not cut. The
# numbers are those of the devices.

# %%
kinds = (
    "token_embedding/embeddings",
    "query/kernel",
    "output/kernel",
    "expand/kernel",
    "contract/kernel",
    "norm/gamma",
)
shown = [next(path for path in held["data"] if path.endswith(kind)) for kind in kinds]
figure, axes = plt.subplots(2, len(shown), figsize=(11, 5.5), layout="constrained")
for row, (how, shards) in zip(axes, held.items()):
    row[0].set_ylabel(how, fontsize=12)
    for panel, path in zip(row, shown):
        parts = {}
        for device, _, spans in shards[path]:
            parts.setdefault(str([[0, 1]] * (2 - len(spans)) + spans), []).append(
                str(device)
            )
        height, width = (
            max(stop for _, stop in spans) for spans in zip(*map(json.loads, parts))
        )
        for number, (part, devices) in enumerate(parts.items()):
            (top, bottom), (left, right) = json.loads(part)
            panel.fill_between(
                [left, right], top, bottom, color=f"C{number}", alpha=0.6
            )
            rotation = "vertical" if right - left < width else "horizontal"
            middle = (left + right) / 2, (top + bottom) / 2
            panel.text(
                *middle, " ".join(devices), ha="center", va="center", rotation=rotation
            )
        panel.set(xlim=(0, width), ylim=(height, 0), xticks=[width], yticks=[height])
        panel.set_title("/".join(path.split("/")[-2:]), fontsize=8)

# %% [markdown]
# What a device holds, weights and the optimizer's two slots of each, is what a formula
# says ([docs/scaling.md](../docs/scaling.md)), but for the optimizer's counter and
# the norm of the last gradient:

# %%
for (how, shards), model_devices in zip(held.items(), (1, 4)):
    found = sum(
        size for parts in shards.values() for device, size, _ in parts if device == 0
    )
    formula = formulas.state_bytes(config, 0, 8, model_devices)
    print(f"{how:5}: device 0 holds {found:,} bytes; the formula says {formula:,.0f}")

# %% [markdown]
# ## Two processes, and one that goes on alone
#
# For a whole run there is the command. PyTorch's devices are processes, which
# `torchrun` starts (here by its module's name; `--standalone` means on this machine
# alone, at any free port). Two processes make the first ten updates of a run, and end.
# Then the same command without `torchrun` is one process, and the run goes on with it;
# `--resume` begins a run or continues it. Another run is of one process from beginning
# to end.

# %%
flags = """
--encoder-layers 1 --decoder-layers 1 --d-model 64 --d-ff 128 --num-heads 8
--norm-first --dropout 0 --vocab-size 800 --batch-tokens 512 --warmup-updates 100
--average-last 1 --source train.en --target train.de
""".split()
torchrun = "-m torch.distributed.run --standalone --nproc-per-node 2".split()
environment = {**os.environ, "KERAS_BACKEND": "torch", "OMP_NUM_THREADS": "1"}
for launcher, run, updates in (
    (torchrun, "moved", 10),
    ([], "moved", 20),
    ([], "alone", 20),
):
    words = ["train", run, "--resume", "--max-updates", str(updates)]
    print(
        "$",
        "torchrun ... -m keras_transformer" if launcher else "keras-transformer",
        *words,
        "...",
    )
    command = [sys.executable, *launcher, "-m", "keras_transformer", *words, *flags]
    print(
        subprocess.run(
            command, env=environment, stdout=subprocess.PIPE, text=True, check=True
        ).stdout
    )

weights = [Run.open(run).model().get_weights() for run in ("moved", "alone")]
apart = max(np.abs(one - other).max() for one, other in zip(*weights))
print(f"largest difference between the two runs: {apart:.1g}")

# %% [markdown]
# ## What to expect
#
# From here on nothing is run; the formulas are those of
# [docs/scaling.md](../docs/scaling.md), which compares them with compiled programs.
# Memory first: what each of eight devices needs for one update in float32, and sends to
# others, when each has a whole model (`data`), or 2, 4 or 8 share one. On the left the
# paper's `big` with its 25,000 target tokens: there is little to cut in the model, and
# devices that share one have to see the same tokens, and more of them. In the middle a
# model four times as wide, with fewer tokens: there it helps.

# %%
tokens, length, shared = planning.PAPER_TOKENS, planning.LENGTH, (1, 2, 4, 8)
big = preset(
    "big", source_vocab_size=planning.VOCABULARY, target_vocab_size=planning.VOCABULARY
)
wide = dataclasses.replace(
    big, d_model=4 * big.d_model, d_ff=4 * big.d_ff, num_heads=4 * big.num_heads
)
names = ["data", *(f"model, {m}" for m in shared[1:])]
figure, (*memory, network) = plt.subplots(1, 3, figsize=(11, 3.5), layout="constrained")
for panel, title, model, count in zip(
    memory, ("big", "four times as wide"), (big, wide), (tokens, 4_000)
):
    state = np.array([formulas.state_bytes(model, count, 8, m) for m in shared]) / 1e9
    other = (
        np.array([formulas.temporary_bytes(model, count, length, 8, m) for m in shared])
        / 1e9
    )
    panel.bar(names, state, label="weights, slots")
    panel.bar(names, other, bottom=state, label="activations, gradients")
    panel.set(
        title=f"{title}: {model.parameters / 1e6:,.0f} M, {count:,} tokens",
        ylabel="GB on a device",
    )
    panel.legend()
network.bar(
    names,
    [formulas.sent_bytes(big, tokens, 8, m) / 1e9 for m in shared],
    color="tab:green",
)
_ = network.set(title=f"big: {tokens:,} tokens", ylabel="GB sent by a device")

# %% [markdown]
# So: `data` while the model fits on one device, `model` for one that does not.
#
# Then time. More devices share the arithmetic; the gradients that each has to send do
# not get fewer. With the paper's 25,000 tokens an update, a device soon spends more
# time on sending than on computing. Each band lies between sending after all computing
# and sending during it; bandwidths and the share of the peak that is reached are
# assumptions, which stand on the same page.

# %%
counts = 2 ** np.arange(11)
figure, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained", sharey=True)
for panel, tokens in zip(axes, (planning.PAPER_TOKENS, planning.MANY_TOKENS)):
    for chip in ("A100 80 GB", "TPU v5e"):
        times = [planning.seconds("big", tokens, int(n), chip) for n in counts]
        after, during = (
            [times[0][0] / how(time) for time in times] for how in (sum, max)
        )
        panel.fill_between(counts, after, during, alpha=0.5, label=chip)
    panel.plot(counts, counts, "k:", label="as many times as devices")
    panel.set(
        title=f"big, {tokens:,} target tokens an update",
        xlabel="devices",
        xscale="log",
        yscale="log",
    )
    panel.set(
        xticks=counts[::2],
        xticklabels=counts[::2],
        yticks=counts[::2],
        yticklabels=counts[::2],
    )
axes[0].legend()
_ = axes[0].set_ylabel("times as fast as one")
