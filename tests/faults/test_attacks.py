"""Files made to do harm.

Each is refused in one line, before any of it is executed or takes memory.
"""

import io
import json
import resource
import shutil
import zipfile

import h5py
import keras
import numpy as np
import pytest
from small import DATA, MODEL, clean, training

from keras_transformer import Translator
from keras_transformer.models.transformer import Transformer
from keras_transformer.runs.run import Run, RunConfig
from keras_transformer.runs.sealed_files import load_arrays, seal, sha256
from keras_transformer.text.lines import read_lines
from keras_transformer.text.tokenizer import Tokenizer
from keras_transformer.training.prepare import prepare
from keras_transformer.training.train import train


@pytest.fixture(scope="module")
def untrained(corpus, tmp_path_factory):
    folder = tmp_path_factory.mktemp("attacks") / "run"
    folder.mkdir()
    config = RunConfig(MODEL, DATA, training())
    run = prepare(folder, clean(corpus), None, config)
    run.save_model(Transformer(run.config.model))
    return folder


@pytest.fixture
def run(untrained, tmp_path):
    return shutil.copytree(untrained, tmp_path / "run")


def rewrite(run, members=None, extra=None, compression=zipfile.ZIP_STORED):
    """Replace members of a model.keras or add one, as who knows the format could."""
    path = run / "model.keras"
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in {**content, **(members or {}), **(extra or {})}.items():
            archive.writestr(name, data)


def refused(run, message):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ValueError, match=message) as caught:
        Translator.load(run)
    assert len(str(caught.value).splitlines()) == 1
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000  # KiB
    assert not list(run.parent.glob("touched*"))


def test_a_layer_with_code(untrained, run):
    touched = run.parent / "touched"
    name = str(touched)
    model = keras.Sequential(
        [keras.Input((1,)), keras.layers.Lambda(lambda x: (open(name, "w"), x)[1])]
    )
    touched.unlink(missing_ok=True)
    model.save(run / "model.keras")
    touched.unlink(missing_ok=True)
    refused(run, "model.weights.h5 must have ")
    with zipfile.ZipFile(run / "model.keras") as archive:
        config = archive.read("config.json")
    shutil.copy(untrained / "model.keras", run / "model.keras")
    rewrite(run, {"config.json": config})
    refused(run, "its class must be keras_transformer>Transformer; received None")


@pytest.mark.parametrize("place", ["registered_name", "dtype", "module"])
def test_a_name_outside_of_the_package(run, place):
    with zipfile.ZipFile(run / "model.keras") as archive:
        config = json.loads(archive.read("config.json"))
    dangerous = {
        "module": "os",
        "class_name": "system",
        "config": {"command": "touch touched"},
        "registered_name": None,
    }
    if place == "registered_name":
        config = dangerous
    elif place == "dtype":
        config["config"]["dtype"] = dangerous
    else:
        config.update(module="os", class_name="system")
    rewrite(run, {"config.json": json.dumps(config)})
    if place == "registered_name":
        refused(run, "its class must be keras_transformer>Transformer; received None")
    else:  # never read
        assert Translator.load(run).model.config.d_model == MODEL.d_model
        assert not list(run.parent.glob("touched*"))


@pytest.mark.parametrize(
    "name", ["../touched", "/tmp/touched", "assets/../../touched", "pickle.pkl"]
)
def test_a_member_that_does_not_belong(run, name):
    rewrite(run, extra={name: b"harm"})
    refused(run, "it must hold config.json, metadata.json, model.weights.h5; received ")


def weights(**datasets):
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        for name, options in datasets.items():
            file.create_dataset(name, **options)
    return stream.getvalue()


def test_absurd_shapes(run):
    padding = dict(data=np.zeros(50_000, "float32"))
    absurd = dict(shape=(10**6, 10**6), dtype="f4", chunks=(1000, 1000))
    rewrite(run, {"model.weights.h5": weights(a=absurd, b=padding)})
    refused(run, "a must be a plain array, all at most")


def test_arrays_elsewhere(run):
    secret = run.parent / "secret"
    secret.write_bytes(b"\0" * 400)
    elsewhere = dict(shape=(100,), dtype="f4", external=[(str(secret), 0, 400)])
    rewrite(
        run,
        {
            "model.weights.h5": weights(
                a=elsewhere, b=dict(data=np.zeros(50_000, "float32"))
            )
        },
    )
    refused(run, "a must be a plain array")


def packed(file):
    options = dict(shape=(9, 9), dtype="f4", maxshape=(None, None), compression="gzip")
    file.create_dataset("a", chunks=(8000, 8000), **options)


def deep(file):
    group = file
    for _ in range(300):
        group = group.create_group("a")


STRANGE = [
    (lambda file: file.update({"a": h5py.SoftLink("/b")}), "a", "<SoftLink to "),
    (
        lambda file: file.update({"a": h5py.ExternalLink("c", "/")}),
        "a",
        "<ExternalLink",
    ),
    (packed, "a", "<HDF5 dataset "),
    (deep, "a/" * 250, "<"),
    (lambda file: file.update({"a": np.zeros(2, "complex64")}), "a", "<HDF5 dataset "),
    (lambda file: file.update({"a": np.zeros(2, bool)}), "a", "<HDF5 dataset "),
    (lambda file: file.update({"a": np.dtype("f4")}), "a", "<HDF5 named type "),
]


@pytest.mark.parametrize("make, name, kind", STRANGE, ids=range(len(STRANGE)))
def test_other_things_than_arrays(run, make, name, kind):
    stream = io.BytesIO(weights(b=dict(data=np.zeros(50_000, "float32"))))
    with h5py.File(stream, "a") as file:
        make(file)
    rewrite(run, {"model.weights.h5": stream.getvalue()})
    refused(
        run, f"{name} must be a plain array, all at most [0-9,]+ bytes; received {kind}"
    )


@pytest.mark.parametrize("value", [np.nan, -np.inf])
def test_weights_that_are_not_finite(run, corpus, value):
    model = Run.open(run).model()
    bias = model.decoder.blocks[0].feed_forward.expand.bias
    bias.assign(np.full(bias.shape, value))
    Run.open(run).save_model(model)
    message = f"{bias.path} must hold finite numbers; received "
    refused(run, message)
    new = run.parent / "new"
    with pytest.raises(ValueError, match=message):
        train(new, *corpus, init_from=run, training=training())
    assert not new.exists()


@pytest.mark.parametrize("name", ["model.weights.h5", "config.json"])
def test_a_bomb(run, name):
    rewrite(run, {name: bytes(1 << 28)}, compression=zipfile.ZIP_DEFLATED)
    assert (run / "model.keras").stat().st_size < 1 << 20
    refused(run, f"{name} must have [0-9,]+ to [0-9,]+ bytes; received 268435456")


def test_a_bomb_that_lies_about_its_size(run):
    rewrite(run, {"config.json": bytes(1 << 28)}, compression=zipfile.ZIP_DEFLATED)
    path = run / "model.keras"
    size = (1 << 28).to_bytes(4, "little")
    path.write_bytes(path.read_bytes().replace(size, (1000).to_bytes(4, "little")))
    refused(run, "each member must be what its check sum says|Bad CRC-32|Bad magic")


def test_settings_of_another_size(run):
    content = json.loads((run / "config.json").read_text())
    content["model"].update(d_model=10**6, encoder_layers=10**6)
    (run / "config.json").write_text(json.dumps(content))
    refused(run, "'.*config.json' is not the file that was written with manifest.json")
    seal(run)  # who made the run makes the manifest, too
    refused(run, "model.weights.h5 must have [0-9,]+ to [0-9,]+ bytes; received ")


@pytest.mark.parametrize("text", ["[" * 100_000, " " * (1 << 21)])
def test_json_that_takes_all_memory_or_stack(run, text):
    (run / "manifest.json").write_text(text)
    refused(run, "manifest.json' cannot be used: ")


@pytest.mark.parametrize("name", ["../outside", "/etc/hostname"])
def test_a_manifest_that_points_elsewhere(run, name):
    sums = json.loads((run / "manifest.json").read_text())
    sums[f"data/{name}"] = {"bytes": 1, "sha256": "0"}
    (run / "manifest.json").write_text(json.dumps(sums))
    with pytest.raises(ValueError, match="is not the file that was written with"):
        Run.open(run).manifest.verify("data")


def test_a_tokenizer_of_a_gigabyte(tmp_path):
    with open(tmp_path / "tokenizer.model", "wb") as file:
        file.truncate(1 << 30)
    with pytest.raises(
        ValueError,
        match="must have at most 67,108,864 bytes; received 1,?073,?741,?824",
    ):
        Tokenizer.load(tmp_path / "tokenizer.model")


def test_a_line_without_an_end(tmp_path, monkeypatch):
    monkeypatch.setattr("keras_transformer.text.lines.LONGEST_LINE", 1000)
    (tmp_path / "a.en").write_bytes(b"short\n" + b"x" * 5000)
    lines = read_lines(tmp_path / "a.en")
    assert next(lines) == "short"
    with pytest.raises(
        ValueError, match="must have lines of less than 1,000 bytes; line 2 has more"
    ):
        next(lines)


def test_a_checkpoint_of_absurd_shapes(tmp_path):
    header = json.dumps(
        {
            "a": {
                "dtype": "F32",
                "shape": [10**6, 10**6],
                "data_offsets": [0, 4 * 10**12],
            }
        }
    ).encode()
    aside = tmp_path / "aside"
    aside.write_bytes(len(header).to_bytes(8, "little") + header + bytes(64))
    path = aside.rename(tmp_path / f"batch-00000001.{sha256(aside)[:16]}.safetensors")
    with pytest.raises(ValueError, match=f"{path.name} cannot be used: "):
        load_arrays(path)


def test_nothing_is_pickled(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="cannot be used"):
        load_arrays(path)
