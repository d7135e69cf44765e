import gzip
import hashlib
import socket
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from keras_transformer.data import examples
from keras_transformer.data.examples import captions, multi30k

NAMES = [
    f"{split}.{language}.gz"
    for split in examples.MULTI30K_SPLITS
    for language in ("en", "de")
]


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture
def published(tmp_path, monkeypatch):
    """Small files in place of the published ones, their checksums, an empty cache."""
    folder = tmp_path / "published"
    folder.mkdir()
    for name in NAMES:
        (folder / name).write_bytes(
            gzip.compress(f"one line of {name}\n".encode(), mtime=0)
        )
    checksums = {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in NAMES
    }
    monkeypatch.setattr(examples, "MULTI30K_SHA256", checksums)
    (tmp_path / "home").mkdir()
    monkeypatch.setattr("keras.src.backend.config._KERAS_DIR", str(tmp_path / "home"))
    return folder


@pytest.fixture
def mirror(published):
    server = ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(Quiet, directory=str(published))
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def cached(tmp_path):
    return sorted(
        path.name
        for path in (tmp_path / "home" / "datasets").rglob("*")
        if path.is_file()
    )


@pytest.mark.parametrize(
    "split, size", [("train", 12000), ("valid", 500), ("test", 500)]
)
def test_captions_come_in_pairs(split, size):
    lines = [
        gzip.decompress(path.read_bytes()).decode().splitlines()
        for path in captions(split)
    ]
    assert [len(side) for side in lines] == [size, size]
    assert all(line and line[-1] == "." for side in lines for line in side)


def test_unknown_splits():
    message = "split must be one of .'train', 'valid', 'test'.; received 'dev'"
    with pytest.raises(ValueError, match=message):
        captions("dev")
    message = "split must be one of .'train', 'val', .* received 'test'"
    with pytest.raises(ValueError, match=message):
        multi30k("test")


def test_local_folder(published):
    source, target = multi30k("val", folder=published)
    assert (source, target) == (published / "val.en.gz", published / "val.de.gz")


def test_local_folder_without_the_file(tmp_path):
    message = "train.en.gz is missing: download it from https://"
    with pytest.raises(FileNotFoundError, match=message):
        multi30k("train", folder=tmp_path)


def test_local_file_with_another_checksum(published):
    (published / "val.de.gz").write_bytes(b"something else")
    received = hashlib.sha256(b"something else").hexdigest()
    expected = examples.MULTI30K_SHA256["val.de.gz"]
    message = f"val.de.gz must be https://.* of SHA-256 {expected}; .*{received}"
    with pytest.raises(ValueError, match=message):
        multi30k("val", folder=published)


def test_download_once(mirror, published, tmp_path):
    source, target = multi30k("train", url=mirror)
    assert source.read_bytes() == (published / "train.en.gz").read_bytes()
    assert cached(tmp_path) == ["train.de.gz", "train.en.gz"]
    assert multi30k("train", url="http://127.0.0.1:9/nowhere") == (source, target)


def test_a_download_with_another_checksum_is_refused_and_replaced(mirror, published):
    right = (published / "train.en.gz").read_bytes()
    (published / "train.en.gz").write_bytes(b"an error page")
    for _ in range(2):
        message = "train.en.gz is not the published file, of SHA-256"
        with pytest.raises(ValueError, match=message):
            multi30k("train", url=mirror)
    (published / "train.en.gz").write_bytes(right)
    source, _ = multi30k("train", url=mirror)
    assert source.read_bytes() == right


def test_missing_on_the_server(mirror, published, tmp_path):
    (published / "train.en.gz").unlink()
    with pytest.raises(ConnectionError, match="404"):
        multi30k("train", url=mirror)
    assert cached(tmp_path) == []


def test_no_network(published, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]  # closed again below: nobody listens there
    address = f"http://127.0.0.1:{port}"
    with pytest.raises(ConnectionError) as caught:
        multi30k("train", url=address)
    message = str(caught.value)
    assert (
        f"cannot download {address}/train.en.gz" in message
        and "pass folder=" in message
    )
    assert "\n" not in message and cached(tmp_path) == []
