"""Listening for the page's browsers."""

import ipaddress
import socket

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from ..config import expect
from .site import HOST, PATIENCE

CONNECTIONS = 500
LOCAL = {"localhost", "127.0.0.1", "[::1]"}


class Connection(H11Protocol):
    """A connection of uvicorn's that does not wait for ever for a request.

    uvicorn limits how long one lies idle after an answer, and nothing else.
    """

    answered = None

    def connection_made(self, transport):
        super().connection_made(transport)
        if len(self.connections) > CONNECTIONS:
            transport.abort()
        self.loop.call_later(PATIENCE, self.close_if_slow)

    def close_if_slow(self):
        """Close it unless a request came since the last time, or is being answered."""
        if self.transport.is_closing():
            return
        waits = self.cycle is None or self.cycle.response_complete
        if waits and self.cycle is self.answered:
            self.transport.close()
        else:
            self.answered = self.cycle if waits else None
            self.loop.call_later(PATIENCE, self.close_if_slow)

    def shutdown(self):
        """End the streams as well, which would go on as long as a browser is open."""
        super().shutdown()
        self.transport.close()


def listen(host, port):
    """A socket that listens on an address of this machine.

    Raises:
        ValueError: if there can be no such address or port.
        OSError: if the port is taken.
    """
    expect(0 < port < 65_536, "port", "be a number from 1 to 65535", port)
    bare = host_name("host", host).strip("[]")
    try:
        found = socket.getaddrinfo(bare, port, type=socket.SOCK_STREAM)
    except socket.gaierror:
        expect(False, "host", "be a name or an address of this machine", host)
    family, _, _, _, address = found[0]
    return socket.create_server(address, family=family)


def host_name(argument, name):
    """The name of a host as browsers write it.

    Raises:
        ValueError: that names the argument, if it is no name and no address.
    """
    try:
        address = ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        written = name.lower()
    else:
        written = f"[{address}]" if address.version == 6 else str(address)
    match = HOST.fullmatch(written)
    is_name = match and match[2] is None
    expectation = "be a name or an address, without scheme, port and path"
    expect(is_name, argument, expectation, name)
    return written


def served_names(listening, host, allow_host):
    """The names by which a browser may ask what listens for the page."""
    names = {host_name("allow_host", name) for name in allow_host}
    names.add(host_name("host", host))
    address = ipaddress.ip_address(listening.getsockname()[0])
    if address.is_loopback or address.is_unspecified:
        names |= LOCAL
    return names


def server(application):
    """The `uvicorn.Server` of the page; `run(sockets=[...])` serves until it is ended."""
    config = uvicorn.Config(
        application,
        http=Connection,
        ws="none",
        log_level="warning",
    )
    return uvicorn.Server(config)
