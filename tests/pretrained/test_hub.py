import errno
import hashlib
import json
import os
import subprocess
import sys

import pytest
from hub_mirror import COMMIT, NAME, mirror
from layer_checks import ON_TORCH

from keras_transformer.pretrained.checkpoint import fetch

pytest.importorskip("huggingface_hub")
pytestmark = ON_TORCH
FILES = {
    "config.json": b'{"model_type": "marian"}',
    "source.spm": b"spm",
    "vocab.json": b"{}",
    "model.safetensors": b"weights" * 1000,
    "pytorch_model.bin": b"the same again",
    "tf_model.h5": b"and again",
    "run_me.py": b"raise SystemExit('executed')",
    "README.md": b"",
}
OLDER = ("pytorch_model", "bin")
UNREACHABLE = "source must be a folder: the hub cannot be reached ("
NEEDED = ["config.json", "model.safetensors", "source.spm", "vocab.json"]
CHILD = """
import json, sys
from keras_transformer.pretrained.checkpoint import fetch

for source, revision in json.loads(sys.argv[1]):
    try:
        folder, origin = fetch(source, revision)
        print(json.dumps([str(folder), origin]))
    except ValueError as error:
        print(json.dumps(str(error)))
"""


def in_child(cache, calls, **environment):
    """The results of `fetch`, or its errors, in a process with that cache."""
    environment = {
        **os.environ,
        "HF_HOME": str(cache),
        "HF_TOKEN": "secret",
        **environment,
    }
    command = [sys.executable, "-c", CHILD, json.dumps(calls)]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_name_on_the_hub(tmp_path):
    with mirror(FILES) as (address, seen):
        calls = [
            (NAME, None),
            (NAME, "v1"),
            (NAME, COMMIT),
            (NAME, "v2"),
            ("some/other", None),
            ("a/gated", None),
        ]
        *found, wrong_revision, wrong_name, gated = in_child(
            tmp_path / "cache", calls, HF_ENDPOINT=address
        )
    for folder, origin in found:
        assert folder.endswith(COMMIT)
        sums = {name: hashlib.sha256(FILES[name]).hexdigest() for name in NEEDED}
        assert origin == {"source": NAME, "revision": COMMIT, "files": sums}
    assert (
        wrong_revision
        == f"revision must be a branch, tag or commit of '{NAME}'; received 'v2'"
    )
    assert (
        wrong_name
        == "source must be a folder or a public model on the hub; received 'some/other'"
    )
    assert (
        gated
        == "source must be a folder or a public model on the hub; received 'a/gated'"
    )
    fetched = {
        path.rpartition("/")[2]
        for method, path, _ in seen
        if method == "GET" and "/resolve/" in path
    }
    assert fetched == set(NEEDED)
    # Nor is the token sent.
    assert not any("authorization" in map(str.lower, headers) for *_, headers in seen)

    again, other = in_child(
        tmp_path / "cache", [(NAME, None), ("some/other", None)], HF_HUB_OFFLINE="1"
    )
    assert again == found[0]
    assert other.startswith(UNREACHABLE) and other.endswith("received 'some/other'")


def test_half_a_download_does_not_serve(tmp_path):
    with mirror(FILES, refused=["model.safetensors"]) as (address, _):
        (error,) = in_child(tmp_path / "cache", [(NAME, None)], HF_ENDPOINT=address)
    assert error.startswith(UNREACHABLE) and error.endswith(f"received '{NAME}'")
    (error,) = in_child(tmp_path / "cache", [(NAME, None)], HF_HUB_OFFLINE="1")
    assert error.startswith(UNREACHABLE) and error.endswith(f"received '{NAME}'")


def test_an_unreachable_hub_is_one_clear_error(tmp_path):
    with mirror({}) as (address, _):
        pass  # whose port is closed from here on
    (error,) = in_child(tmp_path / "cache", [(NAME, None)], HF_ENDPOINT=address)
    assert error.startswith(UNREACHABLE) and error.endswith(f"received '{NAME}'")


def test_a_model_without_configuration(tmp_path):
    with mirror({"model.safetensors": b""}) as (address, _):
        (error,) = in_child(tmp_path / "cache", [(NAME, None)], HF_ENDPOINT=address)
    assert error == f"source must have a config.json; received '{NAME}'"


def test_a_local_folder(tmp_path):
    with pytest.raises(ValueError, match="source must have a config.json; received "):
        fetch(tmp_path)
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    folder, origin = fetch(str(tmp_path))
    assert (
        folder == tmp_path
        and origin["revision"] is None
        and sorted(origin["files"]) == NEEDED
    )
    assert origin["files"]["vocab.json"] == hashlib.sha256(b"{}").hexdigest()
    message = "revision must be absent for a local folder; received 'v1'"
    with pytest.raises(ValueError, match=message):
        fetch(tmp_path, "v1")


@pytest.mark.parametrize(
    "source", ["./absent", "/absent/folder", "a/b/c", "a b", "../x"]
)
def test_what_is_neither_folder_nor_name(source):
    message = f"must be a folder or a public model on the hub; received '{source}'"
    with pytest.raises(ValueError, match=message):
        fetch(source)


def test_a_cache_on_a_full_disk(monkeypatch):
    def snapshot_download(*arguments, **options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/cache")

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    with pytest.raises(OSError, match="No space left on device: '/cache'"):
        fetch("a/b")


def test_without_huggingface_hub(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    message = r"""'a/b' is no folder; .* pip install -e "\.\[pretrained\]\""""
    with pytest.raises(ImportError, match=message):
        fetch("a/b")


@pytest.mark.parametrize("stem, ending", [("model", "safetensors"), OLDER])
def test_weights_in_parts(tmp_path, stem, ending):
    parts = [f"{stem}-0000{number}-of-00002.{ending}" for number in (1, 2)]
    others = ["training.bin", "pytorch_model-1.bin", f"{stem}.{ending}.index.json"]
    for name in ("config.json", *parts, *others):
        (tmp_path / name).touch()
    _, origin = fetch(tmp_path)
    assert [*origin["files"]] == ["config.json", *parts]
    (tmp_path / "model.safetensors").touch()
    _, origin = fetch(tmp_path)
    assert [*origin["files"]] == ["config.json", "model.safetensors"]
