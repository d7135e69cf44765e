"""The page of `keras-transformer app`: what it answers, and the command."""

import contextlib
import http.client
import importlib
import re
import signal
import socket
import threading
import urllib.error
import urllib.request

import numpy as np
import pytest
from serving import EXAMPLES, SENTENCE, free_port, small_run, started

from keras_transformer.app import html
from keras_transformer.app import page as app
from keras_transformer.app.site import POLICY
from keras_transformer.cli import main as cli
from keras_transformer.decoding.base_translator import BaseTranslator, Hypothesis
from keras_transformer.text.markup import Markup


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
    return app.Answers(translator, ("English", "German"))


@pytest.fixture(scope="module")
def blocks(translator, strangers):
    return app.page(translator, "a-run", ["en", "de"], EXAMPLES)


def cells(table):
    """The rows of a table of attention: per cent, 0 where a cell is empty."""
    rows = re.findall("<tr><th scope=row>.*?</tr>", table)
    found = [re.findall(r"<td(?: style=--w:(\d+)%)?>", row) for row in rows]
    return [[int(number or 0) for number in row] for row in found]


def percent(weights):
    return np.round(100 * weights).astype(int).tolist()


def test_what_a_sentence_gives(translator, answers):
    (hypotheses,) = translator.hypotheses([SENTENCE])
    rows, panel, shown, words, table = answers.translate(
        f"  {SENTENCE}\n", "", "", "cross", 2, "1"
    )
    assert panel.visible and rows.visible and rows.value == 0
    assert rows.choices == [
        (f"{one.score:.2f}\u2002{one.text}", number)
        for number, one in enumerate(hypotheses)
    ]
    for number in (1, 0):
        chosen, again, drawn = answers.choose(shown, number, "cross", 2, "1")
        best = hypotheses[number]
        (links,) = translator.alignments([SENTENCE], [best])
        assert again == html.words((SENTENCE, best.text), answers.names, links)
        assert (
            chosen.found.target_tokens
            == translator.attention(SENTENCE, best).target_tokens
        )
    assert (again, drawn) == (words, table)

    found = shown.found
    assert cells(table) == percent(found.cross[1, 0])
    for kind, layer, head, queries, weights in (
        ("encoder", 1, "2", found.source_tokens, found.encoder[0, 1]),
        ("decoder", 3, "mean", found.input_tokens, found.decoder[2].mean(axis=0)),
    ):
        table = app.picture(shown, kind, layer, head)
        assert cells(table) == percent(weights)
        labels = re.findall("<th scope=row>(.*?)</th>", table)
        assert labels == [
            token.replace("<", "&lt;").replace(">", "&gt;") for token in queries
        ]


def test_words_name_their_partners():
    found = html.words(("a <b>", "eine 'b'"), ("x", "y"), [(0, 0), (0, 1)])
    words = re.findall(r'data-partners="(.*?)" aria-label="(.*?)">(.*?)</span>', found)
    assert words == [
        ("0", "eine: a", "eine"),
        ("0", "&#x27;b&#x27;: a", "&#x27;b&#x27;"),
        ("0 1", "a: eine &#x27;b&#x27;", "a"),
        ("", "&lt;b&gt;", "&lt;b&gt;"),
    ]
    assert found.count('tabindex="0"') == 2 and found.count('tabindex="-1"') == 2
    alone = html.words(("a", "<b> c"), ("x", "y"), None)
    assert "word" not in alone and "&lt;b&gt; c" in alone


def test_a_table_shows_what_is_not_small():
    found = html.table(np.array([[0.004, 0.049], [0.05, 0.996]]), "ab", "cd")
    expected = "<td><td style=--w:5%>5", "<td style=--w:5%>5<td style=--w:100%>100"
    assert re.findall("</th>(<td.*?)</tr>", found) == list(expected)


def test_before_a_sentence_and_of_a_layer_that_is_not_there(answers):
    assert app.picture(None, "cross", 1, "1") == ""
    assert answers.layers("encoder").choices == [("1", 1)]
    assert answers.layers("cross").value == 2


@pytest.mark.parametrize("text", ["", " \n ", "a " * app.LONGEST])
def test_limits_on_length_hold_in_the_server_too(answers, text):
    rows, panel, shown, words, _ = answers.translate(text, "", "", "cross", 1, "1")
    assert not rows.visible and not panel.visible and shown is None
    assert "The sentence must have 1 to 500 characters; received" in words


def test_a_text_of_too_many_tokens_is_not_cut(translator, answers, monkeypatch):
    monkeypatch.setattr(translator, "_longest", 4)
    *_, words, _ = answers.translate(SENTENCE, "", "", "cross", 1, "1")
    assert "The sentence has more tokens than are translated." in words


def test_an_error_is_a_sentence_on_the_page(translator, answers, monkeypatch):
    def fails(texts):
        raise ValueError("the model must give finite scores; received <nan>")

    monkeypatch.setattr(translator, "hypotheses", fails)
    *_, words, _ = answers.translate(SENTENCE, "", "", "cross", 1, "1")
    assert 'role="alert"' in words and "received &lt;nan&gt;." in words


class Plain(BaseTranslator):
    """A translator that gives no attention."""

    def _search(self, texts, prefixes):
        return [[Hypothesis("ein Mann", -0.5, (5,))] for _ in texts]


def test_a_run_that_copies_markup_has_no_links(run, translator, monkeypatch):
    shown = app.Session(translator, "a man", translator.hypotheses(["a man"])[0])
    monkeypatch.setattr(translator, "markup", Markup(("printf",)))
    _, words, table = app.Answers(translator).choose(shown, 0, "cross", 1, "1")
    assert "Translation" in words and "button" not in words and "<table" in table
    opened = app.Run.open(run)
    monkeypatch.setattr(opened.tokenizers[0], "markup", translator.markup)
    assert app.examples(opened) == []


def test_without_attention_there_is_none_to_choose(translator):
    sides = (translator.source_tokenizer, translator.target_tokenizer)
    plain = Plain(*sides, translator.config)
    with pytest.raises(ValueError, match="alignments must be absent with a runtime"):
        next(plain.stream(["a man"], alignments=True))
    answers = app.Answers(plain)
    rows, panel, shown, words, table = answers.translate(
        "a man", "", "", "cross", 1, "1"
    )
    assert not panel.visible and table == "" and shown.found is None
    assert "ein Mann" in words and "Translation" in words and "word" not in words


def test_names_of_the_languages(translator):
    for languages, title, label in (
        (["en", "deu_Latn"], "English to German", "English"),
        (["src", "tgt"], "a-run", "Sentence"),
        (None, "a-run", "Sentence"),
    ):
        blocks = app.page(translator, "a-run", languages)
        labels = [getattr(field, "label", None) for field in blocks.blocks.values()]
        assert blocks.title == title and label in labels


def test_examples_are_the_runs_own(run, tmp_path):
    assert app.examples(app.Run.open(run)) == EXAMPLES[:2]
    assert app.examples(app.Run(tmp_path, None)) == []


def test_the_page_calls_what_is_tested_here(blocks):
    names = {function.name for function in blocks.fns.values() if function.fn}
    assert names == {"translate", "choose", "picture", "layers"}


def test_the_server_asks_no_other(blocks, strangers):
    assert not blocks.analytics_enabled
    with started(blocks) as url, urllib.request.urlopen(url) as answer:
        policy = answer.headers["content-security-policy"]
        text = answer.read().decode()
    assert policy == POLICY
    assert "default-src 'self'" in policy and "//" not in policy
    assert "a-run" in text and strangers == []


def test_the_command(run, tmp_path, capsys, monkeypatch):
    assert cli.main(["app", str(tmp_path / "none"), "--port", str(free_port())]) == 2
    expected = f"no run at '{tmp_path / 'none'}'"
    assert expected in capsys.readouterr().err
    asked = []
    monkeypatch.setattr(app, "serve", lambda *arguments: asked.append(arguments))
    flags = ["--port", "8001", "--allow-host", "a.name", "--allow-host", "b.name"]
    assert cli.main(["app", str(run), *flags]) == 0
    names = ["a.name", "b.name"]
    assert asked == [(str(run), "127.0.0.1", 8001, names, "keras")]


def test_an_export_is_served_with_its_runtime(run, translator, monkeypatch):
    sides = (translator.source_tokenizer, translator.target_tokenizer)
    asked = []
    served = []

    def load(export, **search):
        asked.append((export, search))
        return Plain(*sides, translator.config)

    class Server:
        def run(self, sockets):
            served.append(sockets)

    monkeypatch.setattr(app.CTranslate2Translator, "load", load)
    monkeypatch.setattr(app, "page_server", lambda application: Server())
    flags = ["--runtime", "ctranslate2", "--port", str(free_port())]
    assert cli.main(["app", str(run), *flags]) == 0
    search = {"search": "beam", "beam": 4, "n_best": 4}
    assert asked == [(str(run), search)] and len(served) == 1


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


def test_what_is_not_installed_is_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    expected = r'gradio is not installed: pip install -e "\.\[app\]" in the clone'
    with pytest.raises(ImportError, match=expected):
        importlib.reload(app)
