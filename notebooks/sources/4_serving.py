# %% [markdown]
# # Serving a model
#
# One run, three exports: a TensorFlow SavedModel that takes and gives text,
# CTranslate2, and ONNX. Here they are made, loaded in processes of their own, asked by
# a client, and compared.
#
# The example client is in the clone of the repository.
#
# To open this page, in a clone of the repository:
#
# ```sh
# pip install -e ".[tensorflow,serve,notebooks]" jupyterlab
# jupyter lab notebooks/4_serving.ipynb
# ```

# %%
import os

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# %matplotlib inline

import gzip
import logging
import subprocess
import sys
import time
from pathlib import Path

import keras
import matplotlib.pyplot as plt
import tensorflow as tf
import tensorflow_text  # noqa: F401, for the SavedModel's tokenizer

import keras_transformer
from keras_transformer import (
    DataConfig,
    DecodingConfig,
    Run,
    TrainingConfig,
    captions,
    corpus_scores,
    export,
    preset,
    train,
)
from keras_transformer.export.onnx_loop import OnnxTransformer

logging.getLogger("tensorflow").setLevel("ERROR")

# %% [markdown]
# A model that has seen the corpus twice is good enough to be served here.

# %%
_ = train(
    "run",
    *captions("train"),
    *captions("valid"),
    model=preset(
        "tiny", encoder_layers=1, decoder_layers=1, norm_first=True, dropout=0.0
    ),
    data=DataConfig(vocab_size=1200, batch_tokens=1024),
    training=TrainingConfig(
        epochs=2, warmup_updates=100, learning_rate_scale=0.5, average_last=1
    ),
)

# %% [markdown]
# ## Exports
#
# Each compares itself with the model that it was made of before it appears. The search
# of a SavedModel is part of it.

# %%
search = dict(beam=4, penalty="power")
print("SavedModel: ", export.saved_model("run", "saved", **search))
print("CTranslate2:", export.ctranslate2("run", "fast", **search))
print("ONNX:       ", export.onnx("run", "portable"))

for name in ("run/model.keras", "saved", "fast", "portable"):
    files = [path for path in (Path(name), *Path(name).rglob("*")) if path.is_file()]
    print(f"{name:16}{sum(path.stat().st_size for path in files) / 1e6:7.1f} MB")

# %% [markdown]
# ## In a clean process
#
# A process that cannot import this package: TensorFlow with tensorflow-text, and the
# SavedModel, are all it has.

# %%
program = """
import sys
sys.modules["keras_transformer"] = None  # it cannot be imported
import tensorflow as tf, tensorflow_text
loaded = tf.saved_model.load(sys.argv[1])
found = loaded.signatures["serving_default"](text=tf.constant(sys.argv[2:]))
for text, score in zip(found["translation"].numpy(), found["score"].numpy()):
    print(f"{score:.4f}", text.decode())
"""
sentences = [
    "Two young girls are sitting on a bench.",
    "The hungry dog is chasing a red ball.",
]
clean = subprocess.run(
    [sys.executable, "-c", program, "saved/1", *sentences],
    capture_output=True,
    text=True,
    check=True,
)
print(clean.stdout)

# %% [markdown]
# ONNX brings its own program, which needs onnxruntime and SentencePiece:

# %%
command = [sys.executable, "portable/translate.py", sentences[0]]
print(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

# %% [markdown]
# ## Through the client
#
# `examples/serving` says how to start TensorFlow Serving and has a client for REST and
# gRPC. Here the server is the stand-in of the package's tests, which speaks the same
# protocol over the same SavedModel: there is no docker in a notebook.

# %%
home = Path(keras_transformer.__file__).parents[1]
server = subprocess.Popen(
    [sys.executable, str(home / "tests/export/serving.py"), "saved/1"],
    stdin=subprocess.PIPE,
    stdout=subprocess.PIPE,
    stderr=subprocess.DEVNULL,
    text=True,
)
_, rest, grpc = server.stdout.readline().split()
client = [sys.executable, str(home / "examples/serving/client.py")]
for address in (
    ["--rest", f"localhost:{rest}"],
    ["--grpc", f"localhost:{grpc}", "--n-best"],
):
    print(address[0], *address[2:])
    print(
        subprocess.run(
            [*client, *address, *sentences], capture_output=True, text=True, check=True
        ).stdout
    )
server.communicate()
print("the server ended with", server.returncode)

# %% [markdown]
# ## The runtimes side by side
#
# 128 sentences, beam 4, with the penalty `length ** alpha`, which is the one that
# CTranslate2 has; the ONNX program searches greedily. The first pass, with what is
# compiled in it, is not counted.


# %%
def first_lines(path, count):
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return file.read().splitlines()[:count]


source_path, target_path = captions("test")
texts = first_lines(source_path, 128)
references = first_lines(target_path, 128)

run = Run.open("run")
translator = run.translator(DecodingConfig(**search))
tokenizer, _ = run.tokenizers  # source and target share it
served = tf.saved_model.load("saved/1").signatures["serving_default"]
portable = OnnxTransformer("portable")


def by_saved_model(texts):
    found = served(text=tf.constant(texts))["translation"].numpy()
    return [text.decode() for text in found]


def by_onnx(texts):
    ids = [[*row, tokenizer.special.end] for row in tokenizer.encode(texts)]
    found = portable.greedy(keras.utils.pad_sequences(ids, padding="post"))
    return tokenizer.decode(found.tolist())


runtimes = {
    "Keras": translator,
    "SavedModel": by_saved_model,
    "CTranslate2": export.CTranslate2Translator.load("fast"),
    "ONNX, greedy": by_onnx,
}
expected = translator(texts)
rates = {}
for name, translate in runtimes.items():
    translate(texts)
    begin = time.perf_counter()
    found = translate(texts)
    rates[name] = len(texts) / (time.perf_counter() - begin)
    same = sum(a == b for a, b in zip(found, expected))
    bleu = corpus_scores(found, references).bleu
    print(f"{name:14}{rates[name]:6.0f} sentences a second, BLEU {bleu:.2f},", end=" ")
    print(f"{same} of {len(texts)} as by Keras")

# %%
figure, axes = plt.subplots(figsize=(6.5, 2.2))
axes.bar_label(axes.barh([*rates], rates.values()), fmt="%.0f", padding=3)
axes.invert_yaxis()
axes.set(xlabel="sentences a second, 128 at once")
axes.margins(x=0.1)
