"""Where the page listens, its names, and connections that are slow or too many."""

import contextlib
import socket
import threading

import pytest
from serving import free_port

from keras_transformer.app import server

NAME = "a name or an address"


@pytest.mark.parametrize(
    "name, written",
    [
        ("My-Host_1.example", "my-host_1.example"),
        ("192.168.1.5", "192.168.1.5"),
        ("::1", "[::1]"),
        ("[0:0:0:0:0:0:0:1]", "[::1]"),
    ],
)
def test_names_as_browsers_write_them(name, written):
    assert server.host_name("host", name) == written


@pytest.mark.parametrize(
    "name",
    ["", "*", "*.a.site", "http://a.site", "a.site:80", "[::1]:80", "a/b", "a b", "é"],
)
def test_what_is_no_name(name):
    expected = f"allow_host must be {NAME}, without scheme, port and path; received"
    with pytest.raises(ValueError, match=expected):
        server.host_name("allow_host", name)


@pytest.mark.parametrize(
    "host, more",
    [
        ("127.0.0.1", server.LOCAL),
        ("localhost", server.LOCAL),
        ("0.0.0.0", server.LOCAL),
        ("198.51.100.7", set()),
    ],
)
def test_this_machine_only_is_called_localhost(host, more):
    class Listening:
        def getsockname(self):
            return (socket.gethostbyname(host), 80)

    names = server.served_names(Listening(), host, ["A.Name", "::2"])
    assert names == {host, "a.name", "[::2]"} | more


@pytest.mark.parametrize("port", [-1, 0, 65536])
def test_ports_that_there_are_not(port):
    with pytest.raises(
        ValueError, match=f"port must be from 1 to 65535; received {port}"
    ):
        server.listen("127.0.0.1", port)


@pytest.mark.parametrize("host", ["no.such.name.invalid", "a..b"])
def test_hosts_that_there_are_not(host):
    expected = f"host must be {NAME} of this machine; received '{host}'"
    with pytest.raises(ValueError, match=expected):
        server.listen(host, 7860)


def test_a_port_that_is_taken():
    with server.listen("127.0.0.1", free_port()) as first:
        host, port = first.getsockname()
        expected = f"port must be one that {host} has free; received {port}"
        with pytest.raises(ValueError, match=expected):
            server.listen(host, port)


async def silent(scope, receive, send):
    """An application whose answers are empty."""
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})


@contextlib.contextmanager
def connected(count):
    """Clients of a server."""
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(server.listen("127.0.0.1", free_port()))
        running = server.page_server(silent)
        thread = threading.Thread(target=running.run, args=([listening],))
        thread.start()
        stack.callback(thread.join)
        stack.callback(setattr, running, "should_exit", True)
        address = listening.getsockname()
        clients = [socket.create_connection(address, 60) for _ in range(count)]
        for client in clients:
            stack.enter_context(client)
        yield clients


def test_a_connection_is_not_kept_for_a_request_that_never_comes(monkeypatch):
    monkeypatch.setattr(server, "PATIENCE", 0.2)
    begun = b"GET / HTTP/1.1\r\nHost: localhost\r\n"
    with connected(3) as (idle, slow, slow_after_an_answer):
        slow.sendall(begun)
        slow_after_an_answer.sendall(begun + b"\r\n")
        assert slow_after_an_answer.recv(1000).startswith(b"HTTP/1.1 204 ")
        slow_after_an_answer.sendall(begun)
        for client in (idle, slow, slow_after_an_answer):
            assert client.recv(1000) == b""


def test_no_more_connections_than_the_limit(monkeypatch):
    monkeypatch.setattr(server, "CONNECTIONS", 2)
    with connected(3) as (*_, third):
        with contextlib.suppress(ConnectionResetError):
            assert third.recv(1) == b""
