# %% [markdown]
# # From text to a translator
#
# A Transformer learns to translate English captions into German with Keras's `fit`, in
# a few minutes on two cores. The corpus comes with the package: 12,000 pairs of
# sentences that a grammar made.
#
# The first cell chooses the backend: start Jupyter with `KERAS_BACKEND=jax`, `torch` or
# `tensorflow`.

# %%
import os

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# %matplotlib inline

import gzip
import logging

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

# %% [markdown]
# ## The text


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
# SentencePiece learns one vocabulary for both languages: frequent words become one
# token, rare ones several. It writes a space as ▁ and makes it part of the token that
# follows.

# %%
tokenizer = Tokenizer.train(train_en + train_de, vocab_size=1200)
(ids,) = tokenizer.encode(["The musicians are photographing a lighthouse."])
print(ids)
print([tokenizer.pieces[number] for number in ids])

# %% [markdown]
# ## Batches
#
# Pairs of similar length go together, about 1,000 target tokens in each batch. The
# target is given shifted: at every position the model reads the words so far, and is to
# say the next one.

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
# The sizes of `tiny` with two layers on each side. `compile_for_training` compiles it
# with the paper's optimizer, schedule and loss, and with metrics for each real target
# token.

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
plots.schedule({"this model": rate}, updates=1000)

# %% [markdown]
# ## Training
#
# `TokenBatches` shuffles by itself, so `fit` does not.

# %%
history = model.fit(
    batches, validation_data=held_out, epochs=3, shuffle=False, verbose=2
)

# %% [markdown]
# The learning curve: the loss in nats a token, without the smoothing of the labels.

# %%
plots.learning_curve(history)

# %% [markdown]
# ## Translations of sentences it has never seen

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
print()
print(corpus_scores(translations, test_de))

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
sentence = "Two young girls are sitting on a bench."
print(again(sentence))
assert again(test_en[:20]) == translations[:20]
