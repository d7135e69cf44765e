"""The page of `keras-transformer app`: its answers, and the same in a browser."""

import contextlib
import dataclasses
import http.client
import importlib
import signal
import socket
import threading
import urllib.error
import urllib.request

import numpy as np
import pytest
from browser import chromium
from layer_checks import NOT_ON_JAX, ON_TORCH, marked
from serving import SENTENCE, free_port, small_run, started

from keras_transformer.app import page as app
from keras_transformer.app.site import POLICY
from keras_transformer.cli import main as cli


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return small_run(tmp_path_factory.mktemp("app") / "a-run")


@pytest.fixture(scope="module")
def strangers():
    """Addresses other than this machine's that anything here tried to reach."""
    reached = []
    connect = socket.socket.connect

    def note(self, address):
        here = ("127.0.0.1", "::1", "localhost")
        if self.family != socket.AF_UNIX and address[0] not in here:
            reached.append(address)
        return connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", note)
        yield reached


@pytest.fixture(scope="module")
def translator(run):
    return app.Translator.load(run, app.DecodingConfig(n_best=4))


@pytest.fixture(scope="module")
def answers(translator):
    return app.Answers(translator)


@pytest.fixture(scope="module")
def blocks(translator, strangers):
    return app.page(translator, "keras_transformer: a-run")


@pytest.fixture(scope="module")
def url(blocks):
    with started(blocks) as url:
        yield url


def test_what_a_sentence_gives(translator, answers):
    ((best, *others),) = translator.hypotheses([SENTENCE])
    text, rows, links, found, shades = answers.translate(
        f"  {SENTENCE}\n", "cross", 2, "1"
    )
    assert text == best.text
    assert rows == [[f"{one.score:.4f}", one.text] for one in (best, *others)]
    words = [word.get_text() for word in links.axes[0].texts]
    assert words[: len(SENTENCE.split())] == SENTENCE.split()
    assert len(links.axes[0].get_lines()) == len(best.text.split())
    drawn = shades.axes[0].images[0].get_array()
    assert drawn.tolist() == found.cross[1, 0].tolist()

    for kind, layer, queries in (
        ("encoder", 1, found.source_tokens),
        ("decoder", 3, found.input_tokens),
    ):
        *heads, _ = app.picture(found, kind, layer, app.ALL_HEADS).axes
        assert len(heads) == 2
        labels = [label.get_text() for label in heads[0].get_yticklabels()]
        assert labels == list(queries)
    long = dataclasses.replace(
        found, source_tokens=("x",) * 200, encoder=np.full((1, 2, 200, 200), 0.005)
    )
    (one, _) = app.picture(long, "encoder", 1, app.ALL_HEADS).axes
    assert one.images[0].get_array().shape == (200, 200)


def test_before_a_sentence_and_of_a_layer_that_is_not_there(answers):
    assert app.picture(None, "cross", 1, "1") is None
    assert answers.layers("encoder").choices == [("1", 1)]
    assert answers.layers("cross").value == 2


@pytest.mark.parametrize("text", ["", " \n ", "a " * app.LONGEST])
def test_limits_on_length_hold_in_the_server_too(answers, text, monkeypatch):
    said = []
    monkeypatch.setattr("gradio.Warning", said.append)
    assert len(answers.translate(text, "cross", 1, "1")) == 5
    assert said[0].startswith("The sentence must have 1 to 500 characters; received")


def test_the_page_calls_what_is_tested_here(blocks):
    names = {function.fn.__name__ for function in blocks.fns.values()}
    assert names == {"translate", "picture", "layers"}


def test_the_server_asks_no_other(blocks, url, strangers):
    assert not blocks.analytics_enabled
    with urllib.request.urlopen(url) as answer:
        policy = answer.headers["content-security-policy"]
        text = answer.read().decode()
    assert policy == POLICY
    assert "default-src 'self'" in policy and "//" not in policy
    assert "a-run" in text and strangers == []


def test_the_command(run, tmp_path, capsys, monkeypatch):
    assert cli.main(["app", str(tmp_path / "none"), "--port", str(free_port())]) == 2
    expected = "run must be a directory that `keras-transformer train` or `import` made"
    assert expected in capsys.readouterr().err
    asked = []
    monkeypatch.setattr(app, "serve", lambda *arguments: asked.append(arguments))
    flags = ["--port", "8001", "--allow-host", "a.name", "--allow-host", "b.name"]
    assert cli.main(["app", str(run), *flags]) == 0
    assert asked == [(str(run), "127.0.0.1", 8001, ["a.name", "b.name"])]


@marked(ON_TORCH)
def test_the_command_serves_until_interrupted(run, capsys, monkeypatch):
    port = free_port()
    url = f"http://127.0.0.1:{port}/"
    page_server = app.page_server
    pages = []

    def visit_and_interrupt():
        with urllib.request.urlopen(url) as answer:
            pages.append(answer.read().decode())
        # A browser that shows the page keeps this stream.
        with urllib.request.urlopen(f"{url}gradio_api/heartbeat/a") as stream:
            pages.append(stream.readline())
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
            with contextlib.suppress(http.client.IncompleteRead):
                stream.read()

    def visited_server(application):
        threading.Thread(target=visit_and_interrupt).start()
        return page_server(application)

    monkeypatch.setattr(app, "page_server", visited_server)
    # A shell makes what it starts in the background ignore the signal.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        assert cli.main(["app", str(run), "--port", str(port)]) == 130
    finally:
        signal.signal(signal.SIGINT, before)
    out, err = capsys.readouterr()
    assert out.startswith(f"The page is at {url} (Ctrl-C ends it).\n")
    assert "Traceback" not in err and "ERROR" not in err
    assert "a-run" in pages[0] and pages[1] == b"data: ALIVE\n"
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(url)


@marked(ON_TORCH)
def test_what_is_not_installed_is_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    expected = r'gradio is not installed: pip install -e "\.\[app\]" in the clone'
    with pytest.raises(ImportError, match=expected):
        importlib.reload(app)


@marked(NOT_ON_JAX)
def test_in_a_browser(translator, url, tmp_path):
    path = chromium()
    from playwright.sync_api import expect, sync_playwright

    best = translator.hypotheses([SENTENCE])[0][0]
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
        page.goto(url)
        page.get_by_label("Sentence").fill(SENTENCE)
        page.get_by_role("button", name="Translate").click()
        pictures = page.locator("img[src^='data:image/png']")
        expect(pictures).to_have_count(2, timeout=60_000)
        expect(page.get_by_label("Translation", exact=True)).to_have_value(best.text)
        # Scores and texts of four translations.
        expect(page.get_by_role("gridcell")).to_have_count(8)
        all_heads = pictures.nth(1).get_attribute("src")

        page.get_by_label("Attention of").click()  # of three layers to one
        page.get_by_role("option", name=app.KINDS["encoder"][0]).click()
        expect(pictures.nth(1)).not_to_have_attribute("src", all_heads, timeout=30_000)
        expect(page.get_by_label("Layer")).to_have_value("1")
        expect(page.get_by_text("Error")).to_have_count(0)
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
    elsewhere = [url for url in asked if not url.startswith((url, "data:", "blob:"))]
    # The page ends these streams itself.
    broken = [url for url in failed if "/queue/data?" not in url]
    assert asked and elsewhere == [] and broken == [] and said == []
