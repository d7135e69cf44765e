# %% [markdown]
# # From text to a translator
#
# A Transformer learns to translate English captions into German, in a few minutes on
# two cores. Nothing is presumed but a little Python: every number that is printed is
# explained, and at the end stands what to do if yours are others.
#
# To open this page, in a clone of the repository:
#
# ```sh
# pip install -e ".[tensorflow,notebooks]" jupyterlab
# jupyter lab notebooks/1_quickstart.ipynb
# ```
#
# Then run the cells from top to bottom (Shift+Enter). `KERAS_BACKEND=jax` or `torch`
# before `jupyter` chooses another backend, which must be installed; the results are
# the same but for the last digits.
#
# **What will happen.** A *model* is a function with many numbers in it, its
# *parameters*. At first they are random, and so is what it writes. It is shown pairs of
# sentences, an English one and its German translation; after each few dozen of them
# every parameter is moved a little, so that the right translation becomes more
# probable. That is all that *training* is. Here it happens 585 times.

# %%
import os

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# %matplotlib inline

import gzip
import logging
import math

import keras

from keras_transformer import (
    TokenBatches,
    Tokenizer,
    TrainingConfig,
    Transformer,
    Translator,
    WarmupSchedule,
    captions,
    compile_for_training,
    corpus_scores,
    plots,
    preset,
)

keras.utils.set_random_seed(1)
logging.getLogger("tensorflow").setLevel("ERROR")
print("Keras", keras.__version__, "on", keras.backend.backend())

# %% [markdown]
# ## The text
#
# The corpus comes with the package: sentences in the manner of picture captions, made
# by a grammar. They are simpler than real text, so a small model learns them in
# minutes; Multi30k, real captions, takes three quarters of an hour and gets further
# from perfect.
#
# There are three parts, and no sentence is in two of them. From the *training* pairs
# the model learns. The *validation* pairs tell after each round how good it is on
# sentences that it did not learn from. The *test* pairs are kept for the end: a score
# on what was looked at while choices were made flatters.


# %%
def lines(split):
    sides = []
    for path in captions(split):
        with gzip.open(path, "rt", encoding="utf-8") as file:
            sides.append(file.read().splitlines())
    return sides


train_en, train_de = lines("train")
valid_en, valid_de = lines("valid")
test_en, test_de = lines("test")
print(f"{len(train_en):,} pairs to learn from,")
print(f"{len(valid_en)} to watch it by, {len(test_en)} to test it on\n")
for english, german in list(zip(train_en, train_de))[:3]:
    print(english, "\n   ", german)

# %% [markdown]
# ## Tokens
#
# A model computes with numbers, so text is cut into *tokens*, and each token has a
# number, its *id*. SentencePiece learns one vocabulary for both languages: frequent
# words become one token, rare ones several, down to single letters. It writes a space
# as ▁ and makes it part of the token that follows.
#
# 1,200 tokens are few; they suffice for this corpus. Real text takes 6,000 and more.

# %%
tokenizer = Tokenizer.train(train_en + train_de, vocab_size=1200)
(ids,) = tokenizer.encode(["The musicians are photographing a lighthouse."])
print(ids)
print([tokenizer.pieces[number] for number in ids])
print(tokenizer.decode([ids]))

# %% [markdown]
# ## Batches
#
# Many pairs are computed with at a time, a *batch*. Pairs of similar length go
# together, about 1,000 target tokens in each batch; the shape `(48, 20)` below is that
# of 48 sentences of 20 tokens, the shorter ones filled up with zeros.
#
# The target is given shifted. At every position the model *reads* the words so far and
# is to *write* the next one: after `<·s>`, which begins a sentence, the first word, and
# after the last one `<·/s>`, which ends it. So one sentence is as many exercises as it
# has tokens. To translate later is the same exercise over and over, each time with the
# word that the model itself has just written.

# %%
batches = TokenBatches.from_lines(train_en, train_de, tokenizer, batch_tokens=1024)
held_out = TokenBatches.from_lines(
    valid_en, valid_de, tokenizer, batch_tokens=1024, shuffle=False
)

inputs, labels, weights = batches[0]
print(
    len(batches),
    "batches; the first one:",
    {name: array.shape for name, array in inputs.items()},
)
print(
    "reads ", [tokenizer.pieces[number] for number in inputs["target_ids"][0] if number]
)
print("writes", [tokenizer.pieces[number] for number in labels[0] if number])

# %% [markdown]
# ## The model
#
# An *encoder* reads the English sentence, a *decoder* writes the German one while it
# looks at what the encoder made of it. The sizes are those of `tiny` with two layers on
# each side: 0.8 million parameters, where the paper's base model has 65.
#
# `compile_for_training` compiles it with the paper's optimizer, schedule and loss. The
# picture is the *schedule*: how far the parameters are moved in each update. The steps
# grow for the first 200 updates (the *warm-up*), since large ones would ruin a model
# that knows nothing yet, and then become smaller and smaller.

# %%
sizes = dict(
    source_vocab_size=tokenizer.vocab_size, target_vocab_size=tokenizer.vocab_size
)
config = preset(
    "tiny", encoder_layers=2, decoder_layers=2, norm_first=True, dropout=0.0, **sizes
)
model = Transformer(config)
print(f"{model.count_params():,} parameters")

recipe = TrainingConfig(warmup_updates=200, learning_rate_scale=0.5)
compile_for_training(model, recipe)
rate = WarmupSchedule(config.d_model, warmup_updates=200, scale=0.5)
plots.schedule({"this model": rate}, updates=3 * len(batches))

# %% [markdown]
# ## Before it has learnt anything
#
# At each position the model gives every token of the vocabulary a probability. How bad
# that is, is measured by the probability $p$ of the token that is right: $-\ln p$,
# which is 0 for a model that is certain and right. Its mean is called `nats`, for its
# unit. To guess among 1,200 tokens gives $\ln 1200 = 7.09$, and a model with random
# parameters does a little worse than that.

# %%
before = model.evaluate(held_out, return_dict=True, verbose=0)
print(f"to guess:     {math.log(tokenizer.vocab_size):.2f} nats a token")
print(f"before:       {before['nats']:.2f} nats a token")
print(f"right tokens: {100 * before['accuracy']:.1f} %")

# %% [markdown]
# ## Training
#
# One *epoch* is once through all training pairs: 195 updates. It takes some 20 seconds
# on two cores, the first one longer, since the computation is compiled then.
# (`TokenBatches` shuffles by itself, so `fit` does not.) What is printed:
#
# - `nats`: the mean of $-\ln p$ of the right token, as above. It falls fast, and then
#   slowly.
# - `perplexity`: $e^{\mathrm{nats}}$, among how many tokens the model wavers, so to
#   speak. It falls from 1,200 or more towards 1.
# - `accuracy`: the share of tokens where the likeliest one is right. It rises above
#   0.95 here. On real text 0.65 is good, since much can be said in several ways.
# - `loss`: what is made small. It is `nats`, but that a tenth of the probability is
#   wished for other tokens (*label smoothing*, which makes a model less sure of itself
#   and better); so it ends near 1 and not near 0.
# - `val_...`: the same on the validation pairs, after the epoch. These have to fall,
#   too: they tell that it learns German, and not the training pairs by heart.
#
# In the first epoch the `val_` numbers are better than the others: those of training
# are means over an epoch in which the model was worse at its beginning.

# %%
history = model.fit(
    batches, validation_data=held_out, epochs=3, shuffle=False, verbose=2
)

# %% [markdown]
# The learning curve, in nats a token. Two lines that fall and stay together are what
# one wishes for. Should the one of held-out text begin to rise while the other falls,
# the model learns its training pairs by heart (*overfitting*): then more text, more
# `dropout`, a smaller model or an earlier end are what helps.

# %%
plots.learning_curve(history)

# %% [markdown]
# ## Translations of sentences it has never seen
#
# `Translator` puts tokenizer and model together. It writes word by word, and keeps the
# four best beginnings at each step (*beam search*), since the best sentence need not
# begin with the likeliest word.

# %%
translator = Translator(model, tokenizer)
translations = translator(test_en)
for english, german, reference in list(zip(test_en, translations, test_de))[:5]:
    print(
        english,
        "\n   ",
        german,
        "" if german == reference else f"\n    (reference: {reference})",
    )

# %% [markdown]
# ## How good is it?
#
# *BLEU* counts how many of the words, and of the runs of two, three and four words, are
# in the reference as well, from 0 to 100. *chrF* does so with runs of letters, which is
# kinder to a wrong ending. What stands in brackets is the signature: how exactly it was
# counted, so that others can compare.
#
# Expect more than 85 here. On real text 40 is good, since a person who translates
# freely gets no 100 either; numbers of different test sets cannot be compared.

# %%
print(corpus_scores(translations, test_de))
exact = sum(ours == theirs for ours, theirs in zip(translations, test_de))
print(f"{exact} of {len(test_de)} translations are the reference, word for word")

# %% [markdown]
# ## What it looks at
#
# For each token that it writes (a row), the decoder looks at the tokens of the source
# (the columns), here in its last layer but one. Nobody has told it which word means
# what; the bright squares it has found out by itself. Notebook 3 has more of this.

# %%
sentence = "Two young girls are sitting on a bench."
best = translator.hypotheses([sentence])[0][0]
print(best.text)
found = translator.attention(sentence, best)
plots.attention(found.cross[-2], found.target_tokens, found.source_tokens)

# %% [markdown]
# ## Saved and loaded
#
# A `.keras` file opens on every backend; with the tokenizer beside it the translator is
# whole.

# %%
model.save("model.keras")
tokenizer.save("tokenizer.model")
again = Translator(
    keras.models.load_model("model.keras"), Tokenizer.load("tokenizer.model")
)
print(again(sentence))
assert again(test_en[:20]) == translations[:20]

# %% [markdown]
# ## If it went otherwise
#
# - *`No module named 'tensorflow'`*, or another: this backend is not installed. Choose
#   one that is: `KERAS_BACKEND=torch jupyter lab ...`
# - *An epoch takes minutes*: other programs use the processor, or it is a slow one.
#   Wait, or take `epochs=2`.
# - *`nats` stays above 4*: the learning rate is too small or too large, or the lines of
#   the two files do not belong together. Print some pairs; try a `learning_rate_scale`
#   between 0.2 and 2, and a `warmup_updates` that is a small part of all updates.
# - *`nats` falls and `val_nats` rises*: overfitting, see above.
# - *`loss: nan`*: the steps were too large. Take a smaller `learning_rate_scale`, a
#   longer warm-up, or `clip_norm=1`.
# - *The same words again and again*: it has had too few updates. Take more epochs, or
#   more pairs; some thousands are the least.
# - *Good numbers, but bad translations of your own sentences*: your text is of another
#   kind. This model knows only what its grammar says; train one on text like yours.
#
# ## What to try
#
# - `epochs=2`, `encoder_layers=1`, `vocab_size=300`: what does each cost?
# - A sentence with a word that is not in the corpus: `translator("A queen sits.")`.
# - Two files of your own, with all that a longer training needs (checkpoints, the best
#   epoch, going on after a break), by one command:
#
# ```sh
# keras-transformer train RUN --source train.en --target train.de \
#   --valid-source val.en --valid-target val.de
# ```
