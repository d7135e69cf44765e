# %% [markdown]
# # With KerasHub
#
# KerasHub is where Keras users look for pretrained models. Here a small model is
# trained, written as a KerasHub preset, opened by KerasHub, fine-tuned with LoRA, and
# asked for translations; then its beam search is compared with KerasHub's own.
#
# To open this page, in a clone of the repository:
#
# ```sh
# pip install -e ".[tensorflow,kerashub,notebooks]" jupyterlab
# jupyter lab notebooks/6_kerashub.ipynb
# ```

# %%
import os

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# %matplotlib inline

import gzip
import logging
import math

import keras
import keras_hub
import matplotlib.pyplot as plt

from keras_transformer import (
    DataConfig,
    DecodingConfig,
    TrainingConfig,
    Translator,
    captions,
    corpus_scores,
    kerashub,
    preset,
    train,
)

logging.getLogger("tensorflow").setLevel("ERROR")

# %% [markdown]
# ## A run becomes a preset
#
# The model sees the corpus once, so that its translations still leave something to
# choose between. A preset is a folder; before it appears, KerasHub opens it, and its
# logits and translations are compared with the run's.

# %%
sizes = dict(encoder_layers=1, decoder_layers=1, norm_first=True, dropout=0.0)
training = TrainingConfig(
    epochs=1, warmup_updates=100, learning_rate_scale=0.5, average_last=1
)
_ = train(
    "run",
    *captions("train"),
    *captions("valid"),
    model=preset("tiny", **sizes),
    data=DataConfig(vocab_size=1200, batch_tokens=1024),
    training=training,
)
print(kerashub.from_run("run", "preset"))

# %% [markdown]
# ## KerasHub opens it
#
# Only our package must have been imported, which registers its classes. A dictionary
# gives a prefix that the translation begins with.

# %%
lm = keras_hub.models.Seq2SeqLM.from_preset("preset")
lm.summary()
text = "Two young girls are sitting on a bench."
print(lm.generate([text, ""]))
print(lm.generate({"encoder_text": text, "decoder_text": "Zwei Kinder"}))

# %% [markdown]
# ## LoRA, on raw strings
#
# The weights are frozen, and each of the backbone's layers gets two narrow matrices,
# which alone are trained. A few updates are enough to teach it a habit: to write in
# small letters. `compile` would take the paper's recipe; its warm-up is too long for so
# few updates.


# %%
def first_lines(path, count):
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return file.read().splitlines()[:count]


sources, targets = (first_lines(path, 4096) for path in captions("train"))


class LowerCase(keras.utils.PyDataset):
    """Batches of pairs whose targets are in small letters."""

    def __len__(self):
        return len(sources) // 32

    def __getitem__(self, index):
        part = slice(32 * index, 32 * index + 32)
        small = [line.lower() for line in targets[part]]
        return {"encoder_text": sources[part], "decoder_text": small}


tuned = keras_hub.models.Seq2SeqLM.from_preset("preset")
tuned.preprocessor.encoder_sequence_length = 32
tuned.preprocessor.decoder_sequence_length = 32
tuned.backbone.enable_lora(8)
trained = sum(math.prod(weight.shape) for weight in tuned.trainable_weights)
print(f"{trained:,} of {tuned.count_params():,} parameters are trained")
tuned.compile(optimizer=keras.optimizers.Adam(0.003))
history = tuned.fit(LowerCase(), epochs=4, verbose=0).history
print("loss", [round(loss, 2) for loss in history["loss"]])
tuned.backbone.save_lora_weights("small.lora.h5")
print("before:", lm.generate([text])[0])
print("after: ", tuned.generate([text])[0])

# %% [markdown]
# ## Two beam searches
#
# KerasHub's `BeamSampler` goes on charging a hypothesis that has ended for the padding
# behind it, until all texts of the batch have ended: a translation may depend on the
# other texts. `TransformerBeamSampler`, which `lm` has unless another one is asked for,
# charges nothing to what has ended, and divides by the paper's length penalty: it finds
# what `Translator` finds. Each text is translated among 63 others, and alone.

# %%
test_sources, references = (first_lines(path, 64) for path in captions("test"))
expected = Translator.load("run", DecodingConfig(beam=4))(test_sources)
scores = {}
for name, sampler in (
    ("ours", kerashub.TransformerBeamSampler(4)),
    ("KerasHub's", keras_hub.samplers.BeamSampler(4)),
):
    lm.compile(sampler=sampler)
    together = lm.generate(test_sources)
    alone = [lm.generate([source])[0] for source in test_sources]
    scores[name] = corpus_scores(together, references).bleu
    same = sum(a == b for a, b in zip(together, expected))
    moved = sum(a != b for a, b in zip(together, alone))
    print(f"{name:11} BLEU {scores[name]:.2f}, {same} of 64 as by Translator,", end=" ")
    print(f"{moved} of 64 are others when alone")

# %%
figure, axes = plt.subplots(figsize=(6.5, 1.4))
axes.bar_label(axes.barh([*scores], scores.values()), fmt="%.1f", padding=3)
axes.invert_yaxis()
axes.set(xlabel="BLEU, 64 sentences, 4 beams")
axes.margins(x=0.1)
