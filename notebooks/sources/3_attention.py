# %% [markdown]
# # What the model looks at
#
# A small model learns to translate captions in a minute or two. Then: the attention of
# encoder and decoder as pictures, word alignments, and what is lost when a head is
# removed.
#
# To open this page, in a clone of the repository:
#
# ```sh
# pip install -e ".[tensorflow,notebooks]" jupyterlab
# jupyter lab notebooks/3_attention.ipynb
# ```

# %%
import os

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# %matplotlib inline

import gzip
import logging

import numpy as np

from keras_transformer import (
    AttentionWeights,
    DataConfig,
    Run,
    TrainingConfig,
    captions,
    plots,
    preset,
    train,
)

logging.getLogger("tensorflow").setLevel("ERROR")

# %%
train(
    "run",
    *captions("train"),
    *captions("valid"),
    model=preset(
        "tiny", encoder_layers=2, decoder_layers=3, norm_first=True, dropout=0.0
    ),
    data=DataConfig(vocab_size=1200, batch_tokens=1024),
    training=TrainingConfig(
        epochs=2, warmup_updates=100, learning_rate_scale=0.5, average_last=1
    ),
)
run = Run.open("run")
plots.learning_curve(run.path)

# %% [markdown]
# ## A sentence and its translation
#
# `Translator.attention` gives the weights of every layer and head, from one pass over
# the finished translation.

# %%
translator = run.translator()
sentence = "The tired tourists are photographing a big elephant at the zoo."
((best, *_),) = translator.hypotheses([sentence], token_scores=True)
print(best.text)
found: AttentionWeights = translator.attention(sentence, best)
for name in ("encoder", "decoder", "cross"):
    print(f"{name:8} (layers, heads, query, key) = {getattr(found, name).shape}")

# %% [markdown]
# How sure was it of each token? The numbers are log-probabilities, in nats; their sum
# is the translation's.

# %%
for token, score in zip(found.target_tokens, best.token_scores):
    print(f"{token:16}{score:8.3f}")

# %% [markdown]
# ### The decoder looks at the sentence
#
# All heads of the last layer but one. Each row is a step, which writes the token at its
# left.

# %%
plots.attention(
    found.cross[-2],
    found.target_tokens,
    found.source_tokens,
    "decoder to sentence, layer 2 of 3",
)

# %% [markdown]
# One head alone:

# %%
plots.attention(
    found.cross[-2, 0],
    found.target_tokens,
    found.source_tokens,
    "decoder to sentence, layer 2, head 1",
)

# %% [markdown]
# ### The sentence looks at itself
#
# In the encoder every word may look at every other one.

# %%
plots.attention(
    found.encoder[0], found.source_tokens, found.source_tokens, "encoder, layer 1"
)

# %% [markdown]
# ### The translation looks at itself
#
# In the decoder a step sees what was written before it, and never what comes: above the
# diagonal everything is 0.

# %%
plots.attention(
    found.decoder[0], found.input_tokens, found.input_tokens, "decoder, layer 1"
)

# %% [markdown]
# ## Which word comes from which
#
# `Translator.alignments` links each word of the translation to the word of the sentence
# that got most attention in the last layer but one, over all heads. As text:
# `keras-transformer translate RUN --alignments`. Words with content find their
# counterparts; an article may look elsewhere, at what tells its number or case.

# %%
(links,) = translator.alignments([sentence], [best])
print(" ".join(f"{i}-{j}" for i, j in links))
plots.alignment(sentence, best.text, links)

# %% [markdown]
# ## Without a head
#
# A head's contribution enters by its rows of the output projection: with zeros there,
# the head is gone. How much less probable do the reference translations of 100
# sentences become, in nats a sentence?


# %%
def first_lines(path, count):
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return file.read().splitlines()[:count]


source_path, target_path = captions("test")
sources = first_lines(source_path, 100)
targets = first_lines(target_path, 100)


def loss():
    return -float(np.mean(translator.score(sources, targets)))


whole = loss()
print(f"with all heads {whole:.2f} nats a sentence; without one of them, more by")
config = run.config.model
blocks = translator.model.decoder.blocks
_, size = config.head_sizes
costs = {}
for kind in ("self_attention", "cross_attention"):
    for number, block in enumerate(blocks, start=1):
        kernel = getattr(block, kind).output_projection.kernel
        kept = np.array(kernel)
        for head in range(config.num_heads):
            without = kept.copy()
            without[head * size : (head + 1) * size] = 0.0
            kernel.assign(without)
            costs[kind, number, head + 1] = loss() - whole
        kernel.assign(kept)
        row = "  ".join(
            f"{costs[kind, number, head + 1]:7.2f}" for head in range(config.num_heads)
        )
        print(f"{kind:16} layer {number}, heads 1 to {config.num_heads}: {row}")

# %% [markdown]
# The heads that matter most and least. Without the one that matters most, and without
# all heads of its layer, the sentence becomes:

# %%
most = max(costs, key=costs.get)
least = min(costs, key=costs.get)
print(f"most: {most}, {costs[most]:.2f} nats; least: {least}, {costs[least]:.2f} nats")
kind, number, head = most
kernel = getattr(blocks[number - 1], kind).output_projection.kernel
kept = np.array(kernel)
without = kept.copy()
without[(head - 1) * size : head * size] = 0.0
for name, changed in (
    ("with all", kept),
    ("without the head", without),
    ("without the layer", np.zeros_like(kept)),
):
    kernel.assign(changed)
    print(f"{name:18}{translator(sentence)}")
_ = kernel.assign(kept)
