"""What the page lets in: names, origins, routes, bodies, questions and their number."""

import concurrent.futures
import http.client
import json
import re
import socket
import threading
import urllib.parse
import urllib.request

import gradio as gr
import pytest
from browser import chromium
from serving import started

from keras_transformer.app import site

FULL = f"{site.WAITING} requests are waiting already. Please try again soon."
QUESTION = {"fn_index": 0, "session_hash": "a-session", "data": ["a man", 1, None]}


@pytest.fixture(scope="module")
def gate():
    """What a question waits for while it is clear."""
    gate = threading.Event()
    gate.set()
    return gate


@pytest.fixture(scope="module")
def running():
    """It is set when a question is being answered."""
    return threading.Event()


@pytest.fixture(scope="module")
def blocks(gate, running):
    def answer(text, layer, state):
        running.set()
        gate.wait()
        if text == "fail":
            raise RuntimeError(__file__)
        return text.upper()

    with gr.Blocks(analytics_enabled=False) as blocks:
        text = gr.Textbox(label="Sentence", max_length=500)
        layer = gr.Dropdown([1, 2], value=1, label="Layer")
        best = gr.Textbox(label="Translation", interactive=False)
        button = gr.Button("Translate")
        button.click(answer, [text, layer, gr.State()], best)
    return blocks


@pytest.fixture(scope="module")
def url(blocks):
    with started(blocks, ["My.Name"]) as url:
        yield url


def request(url, method="GET", path="/", body=b"", **headers):
    """The status and the text of an answer; a header's `_` stands for `-`."""
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc)
    headers.setdefault("Content-Length", len(body))
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text


def ask(url, question, **headers):
    """The status and the sentence with which a question is refused, if it is."""
    body = question if isinstance(question, bytes) else json.dumps(question).encode()
    status, text = request(url, "POST", site.ASK, body, **headers)
    return status, json.loads(text).get("detail")


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost:1", "LOCALHOST", "[::1]:8000", "my.name:80"]
)
def test_names_that_are_served(url, host):
    assert request(url, Host=host)[0] == 200


@pytest.mark.parametrize(
    "host",
    [
        "a.site",
        "",
        "0.0.0.0",
        "[::2]",
        "[::1",
        "localhost.a.site",
        "127.0.0.1.nip.io",
        "name",
        "user@localhost",
        "localhost:x",
    ],
)
def test_names_that_are_not(url, host):
    status, text = request(url, Host=host)
    known = "127.0.0.1, [::1], localhost, my.name, or of --allow-host"
    expected = f"Host must be of {known}; received {host!r}."
    assert (status, json.loads(text)["detail"]) == (403, expected)


@pytest.mark.parametrize("path", ["/", site.ASK, "/assets/x", "/none"])
def test_another_site_asks_in_vain(url, path):
    port = urllib.parse.urlsplit(url).port
    for origin in ("null", "", "http://a.site", f"http://localhost:{port + 1}"):
        status, text = request(url, "POST", path, Origin=origin)
        assert status == 403 and f"received {origin!r}" in text
    status, text = request(url, Origin=url.rstrip("/"))
    assert status == 200 and "http://127.0.0.1:" in text


def test_gradio_believes_no_header(url):
    evil = dict(X_Forwarded_Host="a.site", X_Gradio_Server="http://a.site")
    status, text = request(url, path="/?page=x&deep_link=y", **evil)
    assert status == 200 and "a.site" not in text


def test_all_other_routes_are_closed(url, blocks):
    opened = {*site.FILES, site.ASK, site.FOLLOW, site.STAY}
    opened |= {f"/{folder}/{{path}}" for folder in site.FOLDERS}
    paths = {*blocks.app.openapi()["paths"], "/openapi.json", "/docs", "/redoc"}
    assert opened <= paths and len(paths) > 50
    for path in paths - opened:
        for method in ("GET", "POST"):
            assert request(url, method, re.sub("{.*?}", "x", path))[0] == 404, path
    for path in opened - {site.ASK}:
        for method in ("POST", "OPTIONS", "DELETE"):
            assert request(url, method, path)[0] == 405, path


@pytest.mark.parametrize(
    "path",
    [
        "/assets/../../../requirements.txt",
        "/assets/%2e%2e/index.html",
        "/assets//etc/passwd",
        "/static/%00",
        "/static/%ff",
        "/static/" + "a" * 5000,
        "/static/" + "a/" * 3000,
    ],
)
def test_paths_that_are_no_files(url, path):
    assert request(url, path=path) == (404, '{"detail":"Not Found"}')


def test_no_websocket_opens(url):
    upgrade = dict(Connection="Upgrade", Upgrade="websocket")
    key = dict(Sec_WebSocket_Key="AAAAAAAAAAAAAAAAAAAAAA==", Sec_WebSocket_Version=13)
    assert request(url, path=site.ASK, **upgrade, **key)[0] == 405


def test_bodies_that_are_too_large(url):
    largest = b'"' + b"x" * (site.LARGEST_BODY - 2) + b'"'
    status, sentence = ask(url, largest)
    assert status == 400 and sentence.startswith("The body must be a JSON object")
    status, sentence = ask(url, largest + b" ")
    assert status == 413
    assert sentence == "A body must have at most 1048576 bytes; received 1048577."
    for path in (site.ASK, "/", "/gradio_api/upload"):
        assert request(url, "POST", path, b"x", Content_Length=2**30)[0] == 413


def test_a_body_without_length_is_read_no_further_than_it_may_be(url):
    address = urllib.parse.urlsplit(url)
    head = f"POST {site.ASK} HTTP/1.1\r\nHost: {address.netloc}\r\n"
    with socket.create_connection((address.hostname, address.port)) as client:
        client.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        client.sendall(b"%x\r\n" % site.LARGEST_BODY + b"x" * site.LARGEST_BODY)
        client.sendall(b"\r\n1\r\nx")  # and no end
        assert client.recv(20).startswith(b"HTTP/1.1 413 ")


def test_a_body_that_does_not_come(url, monkeypatch):
    monkeypatch.setattr(site, "PATIENCE", 0.2)
    status, text = request(url, "POST", site.ASK, b"x", Content_Length=2)
    assert (status, text) == (408, '{"detail":"A body must come within 0.2 s."}')


@pytest.mark.parametrize(
    "body", [b"", b"{'a': 1}", b"[" * 10**5, b'"\xff"', b'"\\ud800"', b"NaN", b"{}x"]
)
def test_bodies_that_are_no_json(url, body):
    status, sentence = ask(url, body)
    assert status == 400 and sentence.startswith("The body must be JSON: ")


@pytest.mark.parametrize(
    "name, values, expectation",
    [
        ("fn_index", [9, -1, 0.0, False, "0", None, [], 10**30], "be one of [0]"),
        (
            "session_hash",
            [None, 5, "", "a" * 65, "../a", "a\n", "é", {}],
            "be 1 to 64 letters and digits",
        ),
        (
            "data",
            [None, "abc", {}, [], ["a", 1], ["a", 1, None, 1]],
            "be a list of 3 values",
        ),
    ],
)
def test_questions_that_the_page_does_not_ask(url, name, values, expectation):
    for value in values:
        status, sentence = ask(url, QUESTION | {name: value})
        assert status == 400
        assert sentence.startswith(f"{name} must {expectation}; received "), value
        assert len(sentence) < 200
    without = {key: value for key, value in QUESTION.items() if key != name}
    assert ask(url, without)[1] == f"{name} must {expectation}; received None."


@pytest.mark.parametrize(
    "data, sentence",
    [
        ([5, 1, None], "Sentence must be text of at most 500 characters; received 5."),
        ([["a"], 1, None], "Sentence must be text of at most 500 characters; received"),
        (["a" * 501, 1, None], "Sentence must be text of at most 500 characters; "),
        (["a" * 10**6, 1, None], "Sentence must be text of at most 500 characters; "),
        (["a", 3, None], "Layer must be one of [1, 2]; received 3."),
        (["a", -1, None], "Layer must be one of [1, 2]; received -1."),
        (["a", True, None], "Layer must be one of [1, 2]; received True."),
        (["a", 1.0, None], "Layer must be one of [1, 2]; received 1.0."),
        (["a", [1], None], "Layer must be one of [1, 2]; received [1]."),
        (["a", 1, 7], "The state must be null; received 7."),
        ([None, 1, None], "Sentence must be text of at most 500 characters; received"),
    ],
)
def test_values_that_no_field_holds(url, data, sentence):
    status, received = ask(url, QUESTION | {"data": data})
    assert status == 400 and received.startswith(sentence)


@pytest.mark.parametrize("value", [0, 3, True, "1", 1.0, None, [1], {}])
def test_a_choice_that_is_not_there(value):
    for choices in ([("one", 1), ("two", 2)], []):
        field = gr.Radio(choices, label="Best")
        numbers = [number for _, number in choices]
        sentence = f"Best must be one of {numbers}; received"
        with pytest.raises(site.HTTPException) as refused:
            site.check_value(field, value)
        assert refused.value.detail.startswith(sentence)
    site.check_value(gr.Radio([1, 2]), 2)


def test_a_page_that_the_server_has_forgotten():
    with gr.Blocks(analytics_enabled=False) as blocks:
        rows = gr.Radio(label="Best translations", visible=False)
        rows.input(str, rows, None)
    gate = site.Endpoints(blocks.app, blocks)
    with pytest.raises(site.HTTPException) as refused:
        gate.check(QUESTION | {"data": [0]})
    assert refused.value.detail == site.FORGOTTEN


@pytest.mark.parametrize("session", ["", "nobody", "%00", "a" * 65])
def test_who_asked_for_nothing_is_told_nothing(url, session):
    status, text = request(url, path=f"{site.FOLLOW}?session_hash={session}")
    assert status == 400 and "session_hash must be " in text
    if session != "nobody":
        path = site.STAY.format(session_hash=session or "+")
        assert request(url, path=path)[0] == 400


def outputs(url, session):
    """What the stream of a session says of the questions that are done."""
    path = f"{site.FOLLOW[1:]}?session_hash={session}"
    with urllib.request.urlopen(url + path) as stream:
        lines = [line.removeprefix(b"data: ") for line in stream if line.strip()]
    said = [json.loads(line) for line in lines]
    return [one["output"] for one in said if one["msg"] == "process_completed"]


def answers(url, session):
    return [output["data"] for output in outputs(url, session)]


def test_a_question_is_answered_whatever_else_it_says(url):
    more = {"batched": True, "simple_format": True, "event_id": "x", "trigger_id": -1}
    assert ask(url, QUESTION | more, Host="localhost:99999") == (200, None)
    assert answers(url, "a-session") == [["A MAN"]]


def test_a_failure_says_nothing_of_the_server(url):
    assert ask(url, QUESTION | {"data": ["fail", 1, None]})[0] == 200
    assert outputs(url, "a-session") == [{"error": None}]


def test_questions_wait_and_are_then_refused(url, gate, running):
    running.clear()
    gate.clear()
    assert ask(url, QUESTION)[0] == 200
    assert running.wait(60)
    questions = [QUESTION | {"session_hash": f"s{n}"} for n in range(20)]
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        said = list(pool.map(lambda question: ask(url, question), questions))
    waiting = [n for n, answer in enumerate(said) if answer == (200, None)]
    assert len(waiting) == site.WAITING
    assert said.count((429, FULL)) == 20 - site.WAITING
    gate.set()
    for n in waiting:
        assert answers(url, f"s{n}") == [["A MAN"]]


def test_a_browser_shows_why_it_is_refused(url, gate, running):
    path = chromium()
    from playwright.sync_api import expect, sync_playwright

    question = QUESTION | {"session_hash": "another"}
    running.clear()
    gate.clear()
    assert ask(url, question)[0] == 200
    assert running.wait(60)
    for _ in range(site.WAITING):
        assert ask(url, question)[0] == 200
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(url)
        page.get_by_label("Sentence").fill("a horse")
        page.get_by_role("button", name="Translate").click()
        expect(page.get_by_text(FULL)).to_be_visible(timeout=30_000)
        gate.set()
        assert answers(url, "another") == [["A MAN"]] * (site.WAITING + 1)
        page.get_by_role("button", name="Translate").click()
        best = page.get_by_label("Translation")
        expect(best).to_have_value("A HORSE", timeout=30_000)
        browser.close()
