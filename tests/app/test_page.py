"""The page of `keras-transformer app`: what it computes, what it answers, and the same in a browser."""

import dataclasses
import importlib.util
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from layer_checks import NOT_ON_JAX, ON_TORCH, marked
from small import MODEL

from keras_transformer import app, cli
from keras_transformer.config import DataConfig, TrainingConfig
from keras_transformer.models.transformer import Transformer
from keras_transformer.runs.run import Run, RunConfig
from keras_transformer.text.tokenizer import Tokenizer

SENTENCE = "a man rides a bike"
SIZES = dict(source_vocab_size=24, target_vocab_size=24)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of a model that has learned nothing, which is quicker and says as much."""
    run = tmp_path_factory.mktemp("app") / "a-run"
    run.mkdir()
    model = dataclasses.replace(MODEL, **SIZES, decoder_layers=3)
    tokenizer = Tokenizer.train([SENTENCE, "a man rides a horse"], vocab_size=24)
    config = RunConfig(model, DataConfig(), TrainingConfig())
    Run.begin(run, config, (tokenizer, tokenizer)).save_model(Transformer(model))
    return run


@pytest.fixture(scope="module")
def strangers():
    """Addresses other than this machine's that anything here tried to reach."""
    reached, connect = [], socket.socket.connect

    def note(self, address):
        if self.family != socket.AF_UNIX and address[0] not in (
            "127.0.0.1",
            "::1",
            "localhost",
        ):
            reached.append(address)
        return connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", note)
        yield reached


@pytest.fixture(scope="module")
def served(run, strangers):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    blocks = app.serve(run, port=port, wait=False)
    yield blocks
    blocks.close(verbose=False)


def function(blocks, name):
    (found,) = {fn.fn for fn in blocks.fns.values() if fn.fn.__name__ == name}
    return found


def test_what_a_sentence_gives(run, served):
    translator = app.Translator.load(run, app.DecodingConfig(n_best=4))
    ((best, *others),) = translator.hypotheses([SENTENCE])
    text, rows, links, found, shades = function(served, "translate")(
        f"  {SENTENCE}\n", "cross", 2, "1"
    )
    assert text == best.text and rows == [
        [f"{h.score:.4f}", h.text] for h in (best, *others)
    ]
    assert [word.get_text() for word in links.axes[0].texts][
        : len(SENTENCE.split())
    ] == SENTENCE.split()
    assert len(links.axes[0].get_lines()) == len(best.text.split())
    assert (
        shades.axes[0].collections[0].get_array().tolist() == found.cross[1, 0].tolist()
    )

    picture = function(served, "picture")
    for kind, layer, queries in (
        ("encoder", 1, found.source_tokens),
        ("decoder", 3, found.input_tokens),
    ):
        *heads, _ = picture(found, kind, layer, app.ALL_HEADS).axes
        assert len(heads) == 2
        assert [label.get_text() for label in heads[0].get_yticklabels()] == list(
            queries
        )
    assert picture(None, "cross", 1, "1") is None
    long = dataclasses.replace(
        found, source_tokens=("x",) * 200, encoder=np.full((1, 2, 200, 200), 0.005)
    )
    (one, _) = picture(long, "encoder", 1, app.ALL_HEADS).axes
    assert one.collections[0].get_array().shape == (200, 200)
    # It has one layer.
    assert function(served, "choose_kind")("encoder", 3).choices == [("1", 1)]


@pytest.mark.parametrize("text", ["", " \n ", "a " * app.LONGEST])
def test_limits_on_length_hold_in_the_server_too(served, text, monkeypatch):
    said = []
    monkeypatch.setattr("gradio.Warning", said.append)
    assert len(function(served, "translate")(text, "cross", 1, "1")) == 5
    assert said[0].startswith("The sentence must have 1 to 500 characters; received")


def test_the_server_is_for_this_machine_and_asks_no_other(served, strangers):
    assert served.local_url.startswith("http://127.0.0.1:") and not served.share
    assert not served.analytics_enabled and served.max_file_size == 1
    with urllib.request.urlopen(served.local_url) as answer:
        policy, text = answer.headers["content-security-policy"], answer.read().decode()
    assert (
        policy == app.POLICY and "default-src 'self'" in policy and "//" not in policy
    )
    assert "a-run" in text and strangers == []


def test_the_command(run, tmp_path, capsys, served, monkeypatch):
    assert cli.main(["app", str(tmp_path / "none")]) == 2
    assert (
        "run must be a directory that `keras-transformer train` or `import` made"
        in capsys.readouterr().err
    )
    asked = []
    monkeypatch.setattr(app, "serve", lambda *arguments: asked.append(arguments))
    assert cli.main(["app", str(run), "--port", "8001"]) == 0
    assert asked == [(str(run), "127.0.0.1", 8001)]


@marked(ON_TORCH)
def test_the_command_serves_until_interrupted(run):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "keras_transformer",
        "app",
        str(run),
        "--port",
        str(port),
    ]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as server:
        line = server.stdout.readline()
        assert line == f"The page is at http://127.0.0.1:{port}/ (Ctrl-C ends it).\n"
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/") as answer:
            assert "a-run" in answer.read().decode()
        server.send_signal(signal.SIGINT)
        out, said = server.communicate(timeout=60)
    assert server.returncode in (0, 130) and "Traceback" not in said, said


def test_a_port_that_is_taken(run, served, capsys):
    assert cli.main(["app", str(run), "--port", str(served.server_port)]) == 2
    assert "port" in capsys.readouterr().err


def test_what_is_not_installed_is_named(run, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        ImportError,
        match=r'gradio is not installed: pip install -e "\.\[app\]" in the clone',
    ):
        app.serve(run, wait=False)


def chromium():
    """The path of a Chromium: playwright's own if it was downloaded, else the system's."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed"
    )
    with playwright.sync_playwright() as driver:
        own = driver.chromium.executable_path
    found = (
        own
        if Path(own).exists()
        else shutil.which("chromium") or shutil.which("google-chrome")
    )
    if not found:
        pytest.skip(
            "there is no Chromium: `playwright install chromium`, or `apt-get install chromium`"
        )
    return found


@marked(NOT_ON_JAX)
def test_in_a_browser(run, served, tmp_path):
    path = chromium()
    from playwright.sync_api import expect, sync_playwright

    ((best, *_),) = app.Translator.load(run, app.DecodingConfig(n_best=4)).hypotheses(
        [SENTENCE]
    )

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1200, "height": 1000})
        asked, failed, said = [], [], []
        page.on("request", lambda request: asked.append(request.url))
        page.on("requestfailed", lambda request: failed.append(request.url))
        page.on(
            "console",
            lambda message: (
                said.append(message.text) if message.type == "error" else None
            ),
        )
        page.goto(served.local_url)
        page.get_by_label("Sentence").fill(SENTENCE)
        page.get_by_role("button", name="Translate").click()
        pictures = page.locator("img[src^='data:image/png']")
        expect(pictures).to_have_count(2, timeout=60_000)
        expect(page.get_by_label("Translation", exact=True)).to_have_value(best.text)
        # Scores and texts of four translations.
        expect(page.get_by_role("gridcell")).to_have_count(8)
        all_heads = pictures.nth(1).get_attribute("src")

        page.get_by_label("Attention of").click()  # of three layers to one
        page.get_by_role("option", name=app.KINDS["encoder"]).click()
        expect(pictures.nth(1)).not_to_have_attribute("src", all_heads, timeout=30_000)
        expect(page.get_by_label("Layer")).to_have_value("1")
        all_heads = pictures.nth(1).get_attribute("src")
        page.get_by_label("Head").click()
        page.get_by_role("option", name="2", exact=True).click()
        expect(pictures.nth(1)).not_to_have_attribute("src", all_heads, timeout=30_000)
        page.screenshot(path=tmp_path / "page.png", full_page=True)
        assert (tmp_path / "page.png").stat().st_size > 10_000
        page.get_by_label("Sentence").fill(" ")
        page.get_by_role("button", name="Translate").click()
        expect(
            page.get_by_text("The sentence must have 1 to 500 characters; received 0.")
        ).to_be_visible()
        assert page.get_by_label("Sentence").get_attribute("maxlength") == str(
            app.LONGEST
        )
        browser.close()
    elsewhere = [
        url for url in asked if not url.startswith((served.local_url, "data:", "blob:"))
    ]
    # The page ends these streams itself.
    broken = [url for url in failed if "/queue/data?" not in url]
    assert asked and elsewhere == [] and broken == [] and said == []
