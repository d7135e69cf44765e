"""Checkpoints that are wrong on purpose: refused by name, and without much memory."""

import json
import resource
import shutil
import zipfile

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
from layer_checks import ON_TORCH  # noqa: E402

from keras_transformer import pretrained  # noqa: E402

# Of files and shapes alone, before anything is computed.
pytestmark = ON_TORCH
WEIGHT = "model.encoder.layers.0.fc1.weight"
TABLE = "model.decoder.embed_positions.weight"
LARGE = 10**9


@pytest.fixture(scope="module")
def tensors(imported):
    """The tensors of a checkpoint of Marian."""
    found = load_file(imported("marian").checkpoint / "model.safetensors")
    return {name: torch.from_numpy(array) for name, array in found.items()}


@pytest.fixture
def folder(imported, tmp_path):
    """A copy of that checkpoint, without weights."""
    place = tmp_path / "checkpoint"
    without = shutil.ignore_patterns("*.safetensors")
    return shutil.copytree(imported("marian").checkpoint, place, ignore=without)


def memory():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def refused(folder, message):
    run = folder.parent / "run"
    before = memory()
    with pytest.raises(ValueError, match=message) as caught:
        pretrained.load(folder, run)
    assert len(str(caught.value).splitlines()) == 1
    assert len(str(caught.value)) < 1000
    assert memory() - before < 100_000  # KiB
    assert not run.exists()


def indices(count):
    return torch.zeros((2, count), dtype=torch.int64)


def nested():
    return torch.nested.nested_tensor([torch.zeros(2), torch.zeros(3)])


def floats(*shape):
    return torch.zeros(shape)


KINDS = [
    (floats(96, 64).to_sparse(), "float32, torch.sparse_coo"),
    (torch.sparse_coo_tensor(indices(1), [1.0], (LARGE, LARGE)), "torch.sparse_coo"),
    (torch.eye(9).to_sparse_csr(), "torch.sparse_csr"),
    (torch.empty(LARGE, LARGE, device="meta"), "torch.strided, on meta"),
    (torch.quantize_per_tensor(floats(96, 64), 0.1, 0, torch.qint8), "torch.qint8"),
    (nested(), "torch.float32"),
    (floats(96, 64).to(torch.complex64), "torch.complex64"),
    (floats(96, 64).to(torch.bool), "torch.bool"),
    (floats(96, 64).to(torch.int8), "torch.int8"),
    (floats(96, 64).to(torch.float8_e4m3fn), "torch.float8_e4m3fn"),
    ([floats(96, 64)], "list"),
    (3.0, "float"),
]


@pytest.mark.filterwarnings("ignore")  # torch's, of kinds that it will not keep
@pytest.mark.parametrize("value, kind", KINDS, ids=[kind for _, kind in KINDS])
def test_tensors_of_other_kinds(folder, tensors, value, kind):
    torch.save({**tensors, WEIGHT: value}, folder / "pytorch_model.bin")
    must = "must be a dense tensor of floating-point numbers; received "
    refused(folder, f"{WEIGHT} {must}'.*{kind}")


SMALL = [
    (WEIGHT, floats(1).expand(96, 64), "24,576 bytes in the file; received 4"),
    (WEIGHT, floats(159).as_strided((96, 64), (1, 1)), "24,576 .*; received 636"),
    (WEIGHT, floats(1).expand(LARGE, 64), "256,000,000,000 .*; received 4"),
    (TABLE, floats(1).expand(LARGE, 64), "256,000,000,000 .*; received 4"),
]


@pytest.mark.parametrize("name, value, sizes", SMALL)
def test_a_tensor_that_is_larger_than_its_numbers(folder, tensors, name, value, sizes):
    torch.save({**tensors, name: value}, folder / "pytorch_model.bin")
    refused(folder, f"{name} must have its {sizes}")


SHAPES = [(), (0,), (0, 64), (96, 0), (96, 64, 1), (6144,), (LARGE, 0)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_other_shapes(folder, tensors, shape):
    torch.save({**tensors, WEIGHT: floats(*shape)}, folder / "pytorch_model.bin")
    refused(folder, "tensors must not be of another shape; received .*fc1.weight")


def test_a_table_without_rows(folder, tensors):
    torch.save({**tensors, TABLE: floats()}, folder / "pytorch_model.bin")
    refused(folder, rf"{TABLE} must have at most 160 rows of 64 numbers; received \(\)")


CONTENTS = [
    ({1: floats(2)}, "name of each tensor must be a string; received <class 'int'>"),
    ({("a",): floats(2)}, "must be a string; received <class 'tuple'>"),
    ({"a\n\x1b[2J": floats(2)}, "must be printable and have at most 200 characters"),
    ({"a" * 10**6: floats(2)}, "must be printable and have at most 200 characters"),
    ([("a", floats(10**6))], "the content must be a dict of tensors; received .*list"),
    (floats(10**6), "the content must be a dict of tensors; received .*Tensor"),
    ({"a": "b" * (1 << 23)}, "data.pkl must have at most 4,194,304 bytes; received"),
]


@pytest.mark.parametrize("content, message", CONTENTS, ids=range(len(CONTENTS)))
def test_contents_that_are_no_tensors_by_name(folder, tensors, content, message):
    if isinstance(content, dict):
        content = {**content, **tensors}
    torch.save(content, folder / "pytorch_model.bin")
    refused(folder, message)


def test_a_packed_file(folder, tensors):
    path = folder / "pytorch_model.bin"
    torch.save(tensors, folder / "plain.bin")
    with zipfile.ZipFile(folder / "plain.bin") as plain:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
            for name in plain.namelist():
                packed.writestr(name, plain.read(name))
            packed.writestr("more", np.random.default_rng(0).bytes(10**6))
    refused(folder, "data.pkl must be stored as it is; received 'a compressed member'")


def test_a_name_in_two_files(folder, tensors):
    for number in (1, 2):
        torch.save(tensors, folder / f"pytorch_model-0000{number}-of-00002.bin")
    refused(folder, "must be one tensor; received 'several'")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", [WEIGHT, "model.shared.weight", TABLE])
def test_numbers_that_are_not_finite(folder, tensors, name, value):
    broken = tensors[name].clone() if name in tensors else floats(160, 64)
    broken[-1, -1] = value
    everything = {**tensors, name: broken}
    message = rf"{name} must hold finite numbers; received \[{value}\]"
    torch.save(everything, folder / "pytorch_model.bin")
    refused(folder, message)
    (folder / "pytorch_model.bin").unlink()
    arrays = {key: tensor.numpy() for key, tensor in everything.items()}
    save_file(arrays, folder / "model.safetensors")
    refused(folder, message)


def header(**entries):
    content = json.dumps(entries).encode()
    return len(content).to_bytes(8, "little") + content


def entry(*shape, begin=0, end=4 * 10**6):
    return dict(dtype="F32", shape=shape, data_offsets=[begin, end])


HEADERS = [
    (header(a=entry(10**6, 10**6, end=4 * 10**12)), "model.safetensors' cannot be"),
    (header(a=entry(LARGE, LARGE, LARGE, LARGE)), "model.safetensors' cannot be"),
    (header(a=entry(10**6), b=entry(10**6)), "model.safetensors' cannot be"),
    (header(a=entry(2, end=8), b=entry(2, begin=4, end=12)), "model.safetensors' can"),
    (header(**{"a\n": entry(10**6)}), "must be printable and have at most 200"),
    ((10**8).to_bytes(8, "little"), "header must have at most 4,194,304 bytes; "),
    ((2**63).to_bytes(8, "little"), "header must have at most 4,194,304 bytes; "),
]


@pytest.mark.parametrize("begin, message", HEADERS, ids=range(len(HEADERS)))
def test_headers_that_lie(folder, begin, message):
    (folder / "model.safetensors").write_bytes(begin + bytes(4 * 10**6))
    refused(folder, message)


MUST = r"the files of weights must have the [0-9,]+ bytes that config.json's sizes"
SETTINGS = [
    (dict(d_model=LARGE), MUST),
    (dict(encoder_layers=LARGE), MUST),
    (dict(encoder_ffn_dim=LARGE), MUST),
    (dict(vocab_size=LARGE), MUST),
    (dict(vocab_size=4_000_000), MUST),
    (dict(d_model=10**40), "d_model must be between 1 and 2147483647"),
    (dict(max_position_embeddings=-1), "max_positions must be at least 1; received -1"),
    (dict(d_model=-64), "d_model must be at least 1; received -64"),
    (dict(d_model=64.0), "d_model must be int; received 64.0"),
    (dict(d_model=float("nan")), "d_model must be int; received nan"),
    (dict(d_model="64"), "d_model must be int; received '64'"),
    (dict(d_model=True), "d_model must be int; received True"),
    (dict(dropout=float("nan")), "dropout must be finite; received nan"),
    (dict(encoder_attention_heads={}), "decoder_attention_heads must be the encoder's"),
    (dict(vocab_size=[]), r"source_vocab_size must be int; received \[\]"),
    (dict(model_type=None), "model_type must be one of marian, .*; received None"),
]


@pytest.mark.parametrize("changes, message", SETTINGS, ids=str)
def test_settings(folder, tensors, changes, message):
    torch.save(tensors, folder / "pytorch_model.bin")
    settings = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(settings | changes))
    refused(folder, message)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a": ' * 90_000, " " * (1 << 21)])
def test_settings_that_take_all_memory_or_stack(folder, tensors, text):
    torch.save(tensors, folder / "pytorch_model.bin")
    (folder / "config.json").write_text(text)
    refused(folder, "config.json' cannot be used: ")


def test_what_is_harmless_is_read(folder, tensors, imported):
    """Parameters, views that lie otherwise, one storage for several, double floats."""
    found = {name: torch.nn.Parameter(tensor) for name, tensor in tensors.items()}
    found[WEIGHT] = tensors[WEIGHT].t().contiguous().t()
    bias = WEIGHT.replace("weight", "bias")
    found[bias] = torch.cat([tensors[bias], floats(8)])[:96]
    found["lm_head.weight"] = found["model.shared.weight"]
    found["final_logits_bias"] = tensors["final_logits_bias"].double()
    torch.save(found, folder / "pytorch_model.bin")
    model = pretrained.load(folder, folder.parent / "run")
    expected = imported("marian").ours.get_weights()
    for one, two in zip(model.get_weights(), expected, strict=True):
        np.testing.assert_array_equal(one, two)
