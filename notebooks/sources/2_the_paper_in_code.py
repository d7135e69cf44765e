# %% [markdown]
# # The paper in code
#
# "Attention Is All You Need" (Vaswani et al. 2017), section by section. All layers are
# imported from the package: here they are only looked at.
#
# To open this page, in a clone of the repository:
#
# ```sh
# pip install -e ".[tensorflow,notebooks]" jupyterlab
# jupyter lab notebooks/2_the_paper_in_code.ipynb
# ```

# %%
import os

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# %matplotlib inline

import keras
import numpy as np

from keras_transformer import (
    EncoderBlock,
    FeedForward,
    LabelSmoothedCrossEntropy,
    MultiHeadAttention,
    PositionalEmbedding,
    WarmupSchedule,
    causal_mask,
    padding_mask,
    plots,
    preset,
)

keras.utils.set_random_seed(1)
np.set_printoptions(precision=3, suppress=True)
numpy = keras.ops.convert_to_numpy

# %% [markdown]
# ## 3.2.1 Scaled dot-product attention, by hand
#
# Three words, each a vector of two numbers. A word's *query* is compared with the
# *keys* of all words; the softmax of the comparisons says how much of each word's
# *value* it takes:
#
# $$\mathrm{Attention}(Q, K, V) =
# \mathrm{softmax}\left(\frac{Q K^T}{\sqrt{d_k}}\right) V$$

# %%
words = ["the", "red", "car"]
x = np.array([[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]], "float32")

scores = x @ x.T / np.sqrt(2)
weights = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
print("scores\n", scores, "\nweights\n", weights, "\nattention\n", weights @ x, sep="")

# %% [markdown]
# The layer does the same. Its four projections are set to the identity, so that
# queries, keys and values are the words.

# %%
layer = MultiHeadAttention(num_heads=1, key_dim=2)
layer.build((1, 3, 2))
layer.set_weights([np.eye(2)] * 4)
output, found = layer(x[None], return_attention_scores=True)
np.testing.assert_allclose(numpy(output)[0], weights @ x, atol=1e-5)
plots.attention(numpy(found)[0, 0], words, words)

# %% [markdown]
# Why the division by $\sqrt{d_k}$? The dot product of two random vectors of $d_k$
# numbers has the standard deviation $\sqrt{d_k}$. Undivided, the softmax would be
# nearly all on one word, where its gradient vanishes.

# %%
random = np.random.default_rng(1)
for size in (4, 64, 1024):
    products = (
        random.normal(size=(10_000, size)) * random.normal(size=(10_000, size))
    ).sum(axis=1)
    divided = products / np.sqrt(size)
    print(f"d_k = {size:4}: standard deviation {products.std():5.1f},", end=" ")
    print(f"divided {divided.std():.2f}")

# %% [markdown]
# ## 3.2.3 Masks
#
# Sentences of a batch differ in length: nobody may look at padding. And in the decoder
# no position may see a later one, which is the answer it is to give.

# %%
ids = np.array([[17, 4, 9, 12, 3], [8, 5, 3, 0, 0], [6, 3, 0, 0, 0]])
plots.masks(
    {"padding: three sentences": padding_mask(ids), "causal": causal_mask(6, 6)}
)

# %% [markdown]
# ## 3.2.2 Heads
#
# Eight heads of 64 numbers look at eight things at once and cost what one head of 512
# costs. Before training, where each looks is left to chance.

# %%
x = random.normal(size=(1, 6, 512)).astype("float32")
for num_heads in (1, 8):
    layer = MultiHeadAttention(num_heads, key_dim=512 // num_heads)
    _, found = layer(x, return_attention_scores=True)
    print(f"num_heads={num_heads}: {layer.count_params():,} weights,", end=" ")
    print(f"attention {tuple(found.shape)}")
words = "the red car stands over there".split()
plots.attention(numpy(found)[0], words, words)

# %% [markdown]
# ## 3.1 Residuals and norms
#
# The paper norms after each residual sum (post-norm), so that what leaves a block has
# mean 0 and deviation 1. With the norm before each sub-layer (pre-norm) the sum is
# never normed and grows from block to block; it learns from fewer updates.

# %%
for norm_first in (False, True):
    y = x
    deviations = []
    for _ in range(6):
        block = EncoderBlock(num_heads=8, key_dim=64, d_ff=2048, norm_first=norm_first)
        y = block(y)
        deviations.append(float(keras.ops.std(y)))
    name = "pre-norm" if norm_first else "post-norm"
    print(f"{name}, deviation after each of six blocks:", np.array(deviations))

# %% [markdown]
# ## 3.3 Feed-forward networks
#
# The same two layers at every position, which know of no other position: words in
# another order give the same vectors in that order. Only attention moves something from
# one word to another.

# %%
feed_forward = FeedForward(2048)
order = random.permutation(6)
difference = numpy(feed_forward(x[:, order])) - numpy(feed_forward(x))[:, order]
print(f"{feed_forward.count_params():,} weights,", end=" ")
print(f"largest difference {np.abs(difference).max():.1g}")

# %% [markdown]
# ## 3.5 Positions
#
# Attention does not know the order either; so each position has a vector of its own,
# which is added to the word's: sines and cosines of wavelengths from $2 \pi$ to $10000
# \cdot 2 \pi$. How alike two of them are depends on their distance alone.

# %%
plots.positions(PositionalEmbedding(vocab_size=100, d_model=128), length=64)

# %% [markdown]
# ## 5.3 The learning rate
#
# It rises over 4,000 updates and then falls with the inverse square root of their
# number; wider models take smaller steps.

# %%
names = ("tiny", "base", "big")
plots.schedule(
    {
        f"{n}, d_model {preset(n).d_model}": WarmupSchedule(preset(n).d_model)
        for n in names
    },
    updates=30_000,
)

# %% [markdown]
# ## 5.4 Label smoothing
#
# A tenth of the target probability is spread over the whole vocabulary. Being ever
# surer of the right word then stops paying: the loss has its smallest value where the
# model gives the right word about 0.9, and rises beyond.

# %%
size = 1000
label = np.array([[7]])
smoothed_loss = LabelSmoothedCrossEntropy(0.1)
plain_loss = LabelSmoothedCrossEntropy(0.0)
for probability in (0.5, 0.8, 0.9001, 0.99, 0.9999):
    others = (1 - probability) / (size - 1)
    probabilities = np.where(np.arange(size) == 7, probability, others)
    logits = np.log(probabilities)[None, None].astype("float32")
    smoothed = float(smoothed_loss(label, logits))
    plain = float(plain_loss(label, logits))
    print(f"probability {probability:6.4f}: smoothed {smoothed:.3f},", end=" ")
    print(f"plain {plain:.3f} nats")

# %% [markdown]
# ## Table 3: parameters
#
# Counted from the configurations alone. The paper's vocabulary has about 37,000 tokens,
# with which `base` has 63 million; 41,100 (for `big` 36,000) gives its rounded numbers.

# %%
base = dict(source_vocab_size=41_100, target_vocab_size=41_100)
rows = [
    ("base", 65, dict()),
    ("(B) d_k = 16", 58, dict(key_dim=16, value_dim=64)),
    ("(B) d_k = 32", 60, dict(key_dim=32, value_dim=64)),
    ("(C) N = 2", 36, dict(encoder_layers=2, decoder_layers=2)),
    ("(C) N = 4", 50, dict(encoder_layers=4, decoder_layers=4)),
    ("(C) N = 8", 80, dict(encoder_layers=8, decoder_layers=8)),
    ("(C) d_model = 256", 28, dict(d_model=256, key_dim=32, value_dim=32)),
    ("(C) d_model = 1024", 168, dict(d_model=1024, key_dim=128, value_dim=128)),
    ("(C) d_ff = 1024", 53, dict(d_ff=1024)),
    ("(C) d_ff = 4096", 90, dict(d_ff=4096)),
]
print("                    the paper  here, millions")
for name, paper, changes in rows:
    parameters = preset("base", **base, **changes).parameters / 1e6
    print(f"{name:20}{paper:9}{parameters:11.1f}")
    assert round(parameters) == paper
big = preset("big", source_vocab_size=36_000, target_vocab_size=36_000).parameters / 1e6
print(f"{'big':20}{213:9}{big:11.1f}")

# %% [markdown]
# ## 6.1 Greedy and beam search, step by step
#
# The searches know a *step*: it takes the tokens that were just chosen and gives the
# logits of the next. A translator's step is `Decoder.step`; here it is a table that
# says which word follows which. Greedy search is a beam of 1.

# %%
from keras_transformer.decoding.beam_search import beam_search
from keras_transformer.decoding.trace import recorder, step

pieces = ["<pad>", "<unk>", "<s>", "</s>", "the", "a", "dog", "cat", "sleeps", "barks"]
follows = {
    "<s>": {"the": 0.55, "a": 0.45},
    "the": {"cat": 0.52, "dog": 0.48},
    "a": {"dog": 0.9, "cat": 0.1},
    "cat": {"sleeps": 0.5, "barks": 0.1, "</s>": 0.4},
    "dog": {"barks": 0.9, "sleeps": 0.1},
    "sleeps": {"</s>": 1.0},
    "barks": {"</s>": 1.0},
}
table = np.full((len(pieces), len(pieces)), 1e-6, "float32")
for before, after in follows.items():
    for word, probability in after.items():
        table[pieces.index(before), pieces.index(word)] = probability


def next_word(ids, cache, index):
    rows = keras.ops.take(keras.ops.convert_to_tensor(table), ids, axis=0)
    return keras.ops.log(rows), cache


states = []
limit = keras.ops.convert_to_tensor([8])
for beam in (1, 3):
    states.clear()
    tokens, scores = beam_search(
        next_word,
        cache=(),
        max_lengths=limit,
        lengths=(8,),
        beam=beam,
        length_penalty=0.0,
        loop=recorder(states),
    )
    for row, score in zip(numpy(tokens)[0], numpy(scores)[0]):
        words = " ".join(pieces[n] for n in row if n)
        print(f"beam {beam}: {words}   probability {np.exp(score):.3f}")

# %% [markdown]
# Greedy search takes "the" because it is the likelier first word, and cannot know that
# "a dog barks" is the likelier sentence. Beam search keeps three hypotheses and finds
# it. `Translator.trace` gives these steps, each a `BeamStep`, for a model.

# %%
steps = [step(state, pieces, pad=0) for state in states]
for number, held in enumerate(steps[1:], start=1):
    print(f"step {number}: lives on", [" ".join(words) for words, _ in held.live])
    print("        finished", [" ".join(words) for words, _ in held.finished])
plots.beam_tree(steps)
