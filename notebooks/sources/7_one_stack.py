# %% [markdown]
# # One stack, many models
#
# ViT, Whisper and Longformer are the Transformer with other things before and after it.
# Each is built here of this package's layers and at most 25 lines, gets the random
# weights of the model in `transformers`, gives the same numbers to 2e-6, and is then
# trained until it clearly works: on scanned digits, on speech, and on texts too long
# for full attention. And a student learns from the ViT, at half of its layers.
#
# To open this page, in a clone of the repository:
#
# ```sh
# pip install -e ".[tensorflow,huggingface,examples,notebooks]" jupyterlab
# jupyter lab notebooks/7_one_stack.ipynb
# ```

# %%
import os

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# %matplotlib inline

import ctypes

import espeakng_loader
import jiwer
import keras
import matplotlib.pyplot as plt
import numpy as np
import torch
import transformers
from keras import ops
from sklearn.datasets import load_digits
from sklearn.metrics import accuracy_score
from sklearn.model_selection import train_test_split

from keras_transformer import (
    Decoder,
    DecoderBlock,
    Encoder,
    EncoderConfig,
    LabelSmoothedCrossEntropy,
    PositionalEmbedding,
    TransformerConfig,
)
from keras_transformer.layers.masks import positions_of

keras.utils.set_random_seed(1)
_ = torch.manual_seed(1)

# %% [markdown]
# ## Other people's weights
#
# What `transformers` calls the parts of a block differs; the parts do not. PyTorch has
# the axis of the outputs first, Keras last: a kernel `(out, in, height, width)` becomes
# `(height, width, in, out)`. Whisper's keys have no bias, which is a bias of zeros.


# %%
def fill(layer, tensors, name):
    """Give a dense layer, a convolution or a norm the tensors of that name."""
    weight = tensors[f"{name}.weight"]
    bias = tensors.get(f"{name}.bias", np.zeros(len(weight)))
    if weight.ndim > 1:
        weight = np.moveaxis(weight, (0, 1), (-1, -2))
    layer.set_weights([weight, bias])


def fill_attention(attention, residual, tensors, prefix, names):
    parts = [attention.query, attention.key, attention.value]
    parts += [attention.output_projection, residual.norm]
    for part, name in zip(parts, names):
        fill(part, tensors, prefix + name)


def fill_block(block, tensors, prefix, names):
    """Give a block its tensors; names are of attention, norm, feed-forward, norm."""
    residual = block.self_attention_residual
    fill_attention(block.self_attention, residual, tensors, prefix, names[:5])
    fill(block.feed_forward.expand, tensors, prefix + names[5])
    fill(block.feed_forward.contract, tensors, prefix + names[6])
    fill(block.feed_forward_residual.norm, tensors, prefix + names[7])


def randomized(theirs):
    """Another model's tensors, all random: norms and biases would begin as 1 and 0."""
    with torch.no_grad():
        for name, tensor in theirs.named_parameters():
            if "embed_positions" not in name or "decoder" in name:  # no sinusoids
                tensor += 0.1 * torch.randn_like(tensor)
    return {name: x.numpy() for name, x in theirs.eval().state_dict().items()}


def largest_difference(ours, theirs):
    theirs = theirs.detach().numpy()
    difference = np.abs(ops.convert_to_numpy(ours) - theirs).max()
    assert difference < 2e-6, difference
    return f"{difference:.1e}"


def adam(updates, rate=0.002):
    """Adam whose rate rises over 100 updates, then falls along a cosine."""
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, updates - 100, warmup_target=rate, warmup_steps=100
    )
    return keras.optimizers.Adam(schedule, clipnorm=1.0)


by_labels = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

# %% [markdown]
# ## ViT: an image is a text of patches
#
# A front takes the embedding's place: one convolution makes a vector of each patch. A
# vector for the whole image comes first, and positions are learned; a class vector that
# is the same in every image is the same as a position's, so there is only the latter.


# %%
class Patches(keras.layers.Layer):
    """Images `(B, H, W, C)` to `(B, 1 + patches, D)`."""

    def __init__(self, patch, d_model, **kwargs):
        super().__init__(**kwargs)
        self.project = keras.layers.Conv2D(d_model, patch, strides=patch)

    def build(self, shape):
        self.project.build(shape)
        _, height, width, d_model = self.project.compute_output_shape(shape)
        self.size = (1 + height * width, d_model)
        self.positions = self.add_weight(self.size, "random_normal")

    def call(self, images):
        patches = self.project(images)
        patches = ops.reshape(patches, (-1, self.size[0] - 1, self.size[1]))
        return ops.pad(patches, [[0, 0], [1, 0], [0, 0]]) + self.positions

    def compute_output_shape(self, shape):
        return (shape[0], *self.size)


SIZES = dict(d_model=64, d_ff=128, num_heads=4)
LIKE_VIT = dict(positions="none", norm_first=True, activation="gelu", dropout=0.0)
LIKE_VIT |= dict(attention_bias=True, layer_norm_epsilon=1e-12)


def vision_transformer(num_layers, classes=10):
    config = EncoderConfig(num_layers=num_layers, **SIZES, **LIKE_VIT)
    images = keras.Input((8, 8, 1))
    encoder = Encoder(config, Patches(2, config.d_model), name="encoder")
    logits = keras.layers.Dense(classes, name="head")(encoder(images)[:, 0])
    return keras.Model(images, logits)


# %% [markdown]
# The same random weights give the same logits.

# %%
theirs = transformers.ViTForImageClassification(
    transformers.ViTConfig(
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=128,
        image_size=8,
        patch_size=2,
        num_channels=1,
        num_labels=10,
        attn_implementation="eager",  # which gives the attention weights, too
    )
)
tensors = randomized(theirs)
VIT = [f"attention.{letter}_proj" for letter in "qkvo"]
VIT += ["layernorm_before", "mlp.fc1", "mlp.fc2", "layernorm_after"]


def fill_vit(model, tensors):
    encoder = model.get_layer("encoder")
    front = "vit.embeddings."
    fill(encoder.embedding.project, tensors, front + "patch_embeddings.projection")
    positions = tensors[front + "position_embeddings"][0].copy()
    positions[0] += tensors[front + "cls_token"][0, 0]
    encoder.embedding.positions.assign(positions)
    for n, block in enumerate(encoder.blocks):
        fill_block(block, tensors, f"vit.layers.{n}.", VIT)
    fill(encoder.final_norm, tensors, "vit.layernorm")
    fill(model.get_layer("head"), tensors, "classifier")


ours = vision_transformer(num_layers=2)
fill_vit(ours, tensors)
images = np.random.default_rng(0).normal(size=(3, 8, 8, 1)).astype("float32")
pixels = torch.tensor(images.transpose(0, 3, 1, 2))
print("logits differ by", largest_difference(ours(images), theirs(pixels).logits))

# %% [markdown]
# And it learns: 1,797 scanned digits of 8 x 8 pixels, every fifth held out. Those it
# learns from are seen shifted by a pixel, too.

# %%
digits = load_digits()
scaled = (digits.images[..., None] / 16).astype("float32")
known, held_out, known_labels, held_out_labels = train_test_split(
    scaled, digits.target, test_size=0.2, random_state=0, stratify=digits.target
)
shifts = [(0, 0), (0, 1), (1, 0), (0, -1), (-1, 0)]
shifted = [np.roll(known, shift, axis=(1, 2)) for shift in shifts]
known, known_labels = np.concatenate(shifted), np.tile(known_labels, len(shifts))


def accuracy(model):
    logits = model.predict(held_out, verbose=0)
    return accuracy_score(held_out_labels, logits.argmax(axis=-1))


EPOCHS = 12
updates = EPOCHS * len(known) // 64
teacher = vision_transformer(num_layers=4)
teacher.compile(adam(updates), by_labels)
_ = teacher.fit(known, known_labels, batch_size=64, epochs=EPOCHS, verbose=0)
print(f"{accuracy(teacher):.1%} of {len(held_out)} digits that it never saw")

# %% [markdown]
# ## TinyBERT's losses: a student at half of the layers
#
# Layer m of the student imitates layer 2m of the teacher: the scores of its attention,
# before the softmax, and its output; then the logits (Jiao et al. 2020, equations 7 to
# 10). The logarithm of the weights is the scores, but for a constant of each row, which
# the softmax ignores: the row's mean is taken from both. Teacher and student are as
# wide as each other, so that no matrix stands between their outputs.


# %%
def inside(model):
    """The model of logits, each block's scores, and what blocks read and give."""
    encoder = model.get_layer("encoder")
    x = encoder.prepare(encoder.embedding(model.input))
    scores, hidden = [], [x]
    for block in encoder.blocks:
        x, weights = block(x, return_attention_scores=True)
        logs = ops.log(ops.maximum(weights, 1e-9))
        scores.append(logs - ops.mean(logs, axis=-1, keepdims=True))
        hidden.append(x)
    logits = model.get_layer("head")(encoder.final_norm(x)[:, 0])
    return keras.Model(model.input, [logits, *scores, *hidden])


def like_probabilities(y_true, y_pred):
    return keras.losses.categorical_crossentropy(
        ops.softmax(y_true), y_pred, from_logits=True
    )


found = theirs(pixels, output_attentions=True, output_hidden_states=True)
logits, *parts = inside(ours)(images)
for name, mine, other in zip(("embedded", "block 1"), parts[2:], found.hidden_states):
    print(name, "differs by", largest_difference(mine, other))


# %%
def imitate(teacher, student):
    """Train all parts of a student by what its teacher gives for them."""
    logits, *parts = inside(teacher).predict(known, batch_size=256, verbose=0)
    scores, hidden = parts[:4], parts[4:]
    goals = [logits, *scores[1::2], *hidden[::2]]
    losses = [like_probabilities] + ["mse"] * (len(goals) - 1)
    pupil = inside(student)
    pupil.compile(adam(updates), losses)
    pupil.fit(known, goals, batch_size=64, epochs=EPOCHS, verbose=0)


student = vision_transformer(num_layers=2)
imitate(teacher, student)
counts = [model.count_params() for model in (teacher, student)]
print(f"teacher {accuracy(teacher):.1%}, {counts[0]:,} parameters")
print(f"student {accuracy(student):.1%}, {counts[1]:,} parameters")

# %% [markdown]
# ## Whisper: speech in, text out
#
# Here the front is two convolutions over a log-mel spectrogram, the second at every
# other frame, and fairseq's sinusoids from 0; the rest is `Encoder` and `Decoder`. Each
# convolution is padded by one frame on both sides: Keras's `"same"` would pad the
# second one on one side only.


# %%
class Frames(keras.layers.Layer):
    """Log-mel frames `(B, 2 S, M)` to `(B, S, D)`."""

    def __init__(self, d_model, **kwargs):
        super().__init__(**kwargs)
        self.d_model = d_model
        self.first = keras.layers.Conv1D(d_model, 3, activation="gelu")
        self.second = keras.layers.Conv1D(d_model, 3, strides=2, activation="gelu")
        self.table = PositionalEmbedding(1, d_model, positions="sinusoidal_fairseq")

    def build(self, shape):
        self.first.build(shape)
        self.second.build((*shape[:2], self.d_model))

    def call(self, frames):
        x = frames
        for convolution in (self.first, self.second):
            x = convolution(ops.pad(x, [[0, 0], [1, 1], [0, 0]]))
        return x + self.table.encode(positions_of(x[:, :, 0]))

    def compute_output_shape(self, shape):
        return (shape[0], None, self.d_model)


def listener(config, mels):
    frames = keras.Input((None, mels), name="frames")
    target_ids = keras.Input((None,), dtype="int32", name="target_ids")
    memory = Encoder(config, Frames(config.d_model), name="encoder")(frames)
    logits = Decoder(config, name="decoder")(target_ids, memory)
    return keras.Model({"frames": frames, "target_ids": target_ids}, logits)


LIKE_WHISPER = LIKE_VIT | dict(positions="learned", layer_norm_epsilon=1e-5)
LIKE_WHISPER |= dict(scale_embedding=False, encoder_layers=2, decoder_layers=2)


def listener_config(vocab_size, positions):
    """The switches of a Whisper with these target tokens and positions."""
    sizes = dict(source_vocab_size=vocab_size, target_vocab_size=vocab_size, **SIZES)
    return TransformerConfig(max_positions=positions, **sizes, **LIKE_WHISPER)


# %%
theirs = transformers.WhisperForConditionalGeneration(
    transformers.WhisperConfig(
        vocab_size=23,
        num_mel_bins=40,
        d_model=64,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=128,
        decoder_ffn_dim=128,
        max_source_positions=31,
        max_target_positions=7,
        pad_token_id=0,
        bos_token_id=2,
        eos_token_id=3,
        decoder_start_token_id=2,
    )
)
PARTS = ["q_proj", "k_proj", "v_proj", "out_proj"]
SELF = [*(f"self_attn.{part}" for part in PARTS), "self_attn_layer_norm"]
CROSS = [*(f"encoder_attn.{part}" for part in PARTS), "encoder_attn_layer_norm"]
WHISPER = [*SELF, "fc1", "fc2", "final_layer_norm"]


def fill_whisper(model, tensors):
    encoder, decoder = model.get_layer("encoder"), model.get_layer("decoder")
    fill(encoder.embedding.first, tensors, "model.encoder.conv1")
    fill(encoder.embedding.second, tensors, "model.encoder.conv2")
    for side, stack in (("encoder", encoder), ("decoder", decoder)):
        for n, block in enumerate(stack.blocks):
            prefix = f"model.{side}.layers.{n}."
            fill_block(block, tensors, prefix, WHISPER)
            if side == "decoder":
                residual = block.cross_attention_residual
                attention = block.cross_attention
                fill_attention(attention, residual, tensors, prefix, CROSS)
        fill(stack.final_norm, tensors, f"model.{side}.layer_norm")
    tables = [tensors["model.decoder.embed_tokens.weight"]]
    tables.append(tensors["model.decoder.embed_positions.weight"])
    decoder.embedding.token_embedding.embeddings.assign(tables[0])
    decoder.embedding.position_table.assign(tables[1])


ours = listener(listener_config(vocab_size=23, positions=7), mels=40)
fill_whisper(ours, randomized(theirs))
random = np.random.default_rng(0)
frames = random.normal(size=(3, 62, 40)).astype("float32")
target_ids = random.integers(4, 23, size=(3, 5))
with torch.no_grad():
    inputs = torch.tensor(frames.transpose(0, 2, 1)), torch.tensor(target_ids)
    expected = theirs(inputs[0], decoder_input_ids=inputs[1]).logits
logits = ours({"frames": frames, "target_ids": target_ids})
print("logits differ by", largest_difference(logits, expected))

# %% [markdown]
# ### Spoken digits
#
# espeak-ng speaks strings of one to four digits, in eight voices and from 181 to 269
# words a minute. Two more voices are held out, and slower and faster speeds.

# %%
speech = ctypes.CDLL(espeakng_loader.get_library_path())
data = espeakng_loader.get_data_path().encode()
SYNCHRONOUS, SPEED, PITCH, CHARACTERS = 2, 1, 3, 1  # from speak_lib.h
RATE = speech.espeak_Initialize(SYNCHRONOUS, 0, data, 0)
heard = []


@ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
)
def hear(samples, count, events):
    if count:
        heard.append(np.ctypeslib.as_array(samples, (count,)).copy())
    return 0


speech.espeak_SetSynthCallback(hear)


def speak(text, voice, speed, pitch):
    heard.clear()
    unknown = speech.espeak_SetVoiceByName(voice.encode())
    assert not unknown, voice
    speech.espeak_SetParameter(SPEED, speed, 0)
    speech.espeak_SetParameter(PITCH, pitch, 0)
    size = len(text) + 1
    speech.espeak_Synth(text.encode(), size, 0, 0, 0, CHARACTERS, None, None)
    return np.concatenate(heard) / 2**15


DIGITS = "zero one two three four five six seven eight nine".split()
SECONDS = 1.6
MELS = 40
PAD, BEGIN, END, FIRST = 0, 2, 3, 4
mel = keras.layers.MelSpectrogram(
    fft_length=1024,
    sequence_stride=441,
    sequence_length=882,
    sampling_rate=RATE,
    num_mel_bins=MELS,
    min_freq=50,
    max_freq=8000,
)


def spoken(count, voices, speeds, seed):
    """Frames, ids that begin with BEGIN and end with END, and texts."""
    random = np.random.default_rng(seed)
    waves = np.zeros((count, int(SECONDS * RATE)), "float32")
    ids = np.full((count, 6), PAD)
    texts = []
    for row in range(count):
        digits = random.integers(0, 10, size=random.integers(1, 5))
        texts.append(" ".join(DIGITS[digit] for digit in digits))
        how = random.choice(voices), random.choice(speeds), random.integers(30, 70)
        wave = speak(texts[-1], str(how[0]), int(how[1]), int(how[2]))[: waves.shape[1]]
        waves[row, : len(wave)] = wave
        ids[row, : len(digits) + 2] = [BEGIN, *(FIRST + digits), END]
    decibels = ops.convert_to_numpy(mel(waves))
    frames = decibels.transpose(0, 2, 1)[:, : int(SECONDS * 50) // 2 * 2]
    return frames / 20, ids, texts


KINDS = ("f1", "f2", "m1", "m3")
VOICES = [language + kind for language in ("en+", "en-us+") for kind in KINDS]
frames, ids, texts = spoken(4000, VOICES, range(181, 270), seed=1)
figure, axes = plt.subplots(figsize=(6.5, 2))
axes.imshow(frames[0].T, origin="lower", aspect="auto")
_ = axes.set(title=f"{texts[0]!r}", xlabel="frames of 20 ms", ylabel="mel bands")

# %%
HEARING_EPOCHS = 12
updates_of_hearing = HEARING_EPOCHS * len(frames) // 32
model = listener(listener_config(vocab_size=14, positions=5), MELS)
loss = LabelSmoothedCrossEntropy(0.0, ignore_class=PAD)
model.compile(adam(updates_of_hearing), loss)
model.fit(
    {"frames": frames, "target_ids": ids[:, :-1]},
    ids[:, 1:],
    batch_size=32,
    epochs=HEARING_EPOCHS,
    verbose=0,
)


def transcribed(frames):
    """The likeliest digit at each place, until one ends the text."""
    ids = np.full((len(frames), 6), PAD)
    ids[:, 0] = BEGIN
    for place in range(5):
        inputs = {"frames": frames, "target_ids": ids[:, :-1]}
        logits = model.predict(inputs, batch_size=100, verbose=0)
        ids[:, place + 1] = logits[:, place].argmax(axis=-1)
    texts = []
    for row in ids[:, 1:].tolist():
        row = row[: row.index(END)] if END in row else row
        texts.append(" ".join(DIGITS[one - FIRST] for one in row if one >= FIRST))
    return texts


slow_and_fast = [*range(150, 181), *range(270, 301)]
for name, voices, speeds in (
    ("held-out texts", VOICES, range(181, 270)),
    ("held-out speeds", VOICES, slow_and_fast),
    ("held-out voices", ["en+f3", "en-us+m2"], range(181, 270)),
):
    frames, _, texts = spoken(200, voices, speeds, seed=2)
    heard_texts = transcribed(frames)
    print(f"{name}: word error rate {jiwer.wer(texts, heard_texts):.1%}")
print(texts[:3], heard_texts[:3])

# %% [markdown]
# ## Longformer: a window, and a question that sees everything
#
# Longformer is BERT with a `window`. Its table of positions begins at row 2, and the
# one kind of token that a text without pairs has is the same vector everywhere: both
# are folded into the positions.


# %%
def longformer(vocab_size, window, positions, num_layers=2):
    config = EncoderConfig(
        vocab_size=vocab_size,
        num_layers=num_layers,
        window=window,
        max_positions=positions,
        embedding_norm=True,
        scale_embedding=False,
        **SIZES,
        **LIKE_VIT | dict(positions="learned", norm_first=False),
    )
    return Encoder(config)


theirs = transformers.LongformerModel(
    transformers.LongformerConfig(
        attention_window=[8, 8],  # four positions on each side
        vocab_size=23,
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=128,
        max_position_embeddings=50,
    ),
    add_pooling_layer=False,
)
SELF = [f"attention.self.{part}" for part in ("query", "key", "value")]
LONGFORMER = [*SELF, "attention.output.dense", "attention.output.LayerNorm"]
LONGFORMER += ["intermediate.dense", "output.dense", "output.LayerNorm"]


def fill_longformer(encoder, tensors):
    front = "embeddings."
    tokens = tensors[front + "word_embeddings.weight"]
    encoder.embedding.token_embedding.embeddings.assign(tokens)
    kind = tensors[front + "token_type_embeddings.weight"][0]
    positions = tensors[front + "position_embeddings.weight"][2:]
    encoder.embedding.position_table.assign(positions + kind)
    fill(encoder.embedding_norm, tensors, front + "LayerNorm")
    for n, block in enumerate(encoder.blocks):
        fill_block(block, tensors, f"encoder.layer.{n}.", LONGFORMER)


ours = longformer(vocab_size=23, window=5, positions=48)
ids = random.integers(4, 23, size=(3, 43))
ours.build(ids.shape)
fill_longformer(ours, randomized(theirs))
expected = theirs(torch.tensor(ids)).last_hidden_state
print("outputs differ by", largest_difference(ours(ids), expected))

# %% [markdown]
# ### A needle in 16,384 tokens
#
# A text is noise with eight names in it, each before its value; a question is a name,
# and its answer the value. One block with a window of two, the position's own and one
# on each side, joins a value with its name; positions are rotary: no table ends.
# The question is what Longformer calls global: it sees every position, in a
# `DecoderBlock` with the text as its memory, at a cost that grows with the length. The
# window alone would have to be stacked until it reaches from one end to the other.
# The reader learns from texts of 32 tokens, then of 4,096.

# %%
NAMES = VALUES = NOISE = 16


def haystacks(rows, length, seed):
    random = np.random.default_rng(seed)
    text = random.integers(NAMES + VALUES, NAMES + VALUES + NOISE, (rows, length)) + 1
    names = random.random((rows, NAMES)).argsort(axis=1)[:, :8]
    values = random.integers(0, VALUES, (rows, 8))
    places = 2 * random.random((rows, length // 2)).argsort(axis=1)[:, :8]
    np.put_along_axis(text, places, 1 + names, axis=1)
    np.put_along_axis(text, places + 1, 1 + NAMES + values, axis=1)
    return {"text": text, "questions": 1 + names}, values


def reader(window=2):
    switches = dict(num_heads=4, d_ff=128, dropout=0.0, norm_first=True)
    config = EncoderConfig(
        vocab_size=1 + NAMES + VALUES + NOISE,
        num_layers=1,
        d_model=64,
        window=window,
        positions="rotary",
        **switches,
    )
    encoder = Encoder(config)
    text = keras.Input((None,), dtype="int32", name="text")
    questions = keras.Input((None,), dtype="int32", name="questions")
    block = DecoderBlock(key_dim=16, **switches)
    x = block(encoder.embedding(questions), encoder(text))
    x = keras.layers.LayerNormalization()(x)
    values = keras.layers.Dense(VALUES)(x)
    return keras.Model({"text": text, "questions": questions}, values)


model = reader()
model.compile(adam(1200, rate=0.003), by_labels, metrics=["accuracy"])
_ = model.fit(*haystacks(32 * 900, 32, seed=1), batch_size=32, verbose=0)
_ = model.fit(*haystacks(2 * 200, 4096, seed=2), batch_size=2, verbose=0)

# %%
LENGTHS = (32, 1024, 4096, 16384)
found = []
for length in LENGTHS:
    data = haystacks(16, length, seed=3)
    found.append(model.evaluate(*data, batch_size=1, verbose=0)[1])
    full = 4 * 4 * length**2 / 1e6  # heads, bytes of a float32
    print(f"{length:6,} tokens: {found[-1]:.1%} of 128 answers are right;", end=" ")
    print(f"full attention's scores: {full:,.0f} MB a text")

# %%
figure, axes = plt.subplots(figsize=(6.5, 2))
axes.semilogx(LENGTHS, found, "o-", base=2, label="the reader")
axes.axhline(1 / VALUES, color="gray", linestyle=":", label="chance")
axes.set(xlabel="tokens", ylabel="right answers", ylim=(0, 1.05))
_ = axes.legend()
