"""Where the page listens, under which names, and how long it waits for a browser."""

import errno
import ipaddress
import socket

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from ..config import expect, refused
from .site import HOST, PATIENCE

CONNECTIONS = 500
LOCAL = {"localhost", "127.0.0.1", "[::1]"}


def host_name(argument, name):
    """The name of a host as browsers write it; a `ValueError` if it can be none."""
    try:
        address = ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        written = name.lower()
    else:
        written = f"[{address}]" if address.version == 6 else str(address)
    match = HOST.fullmatch(written)
    is_name = match and not match["port"]
    expectation = "be a name or an address, without scheme, port and path"
    expect(is_name, argument, expectation, name)
    return written


def listen(host, port):
    """A socket that listens on an address of this machine.

    Raises:
        ValueError: if there can be no such address or port, the address is another
            machine's, or the port is taken.
    """
    expect(0 < port < 65_536, "port", "be from 1 to 65535", port)
    try:
        found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError):
        found = []
    expect(found, "host", "be a name or an address of this machine", host)
    family, _, _, _, address = found[0]
    try:
        return socket.create_server(address, family=family)
    except OSError as error:
        if error.errno == errno.EADDRNOTAVAIL:
            must = "be a name or an address of this machine"
            raise refused("host", must, host) from None
        must = f"be one that {host} has free"
        raise refused("port", must, port) from None


def served_names(listening, host, allow_host):
    """The names by which browsers may ask a socket that listens for the page."""
    names = {host_name("allow_host", name) for name in allow_host}
    names.add(host)
    address = ipaddress.ip_address(listening.getsockname()[0])
    if address.is_loopback or address.is_unspecified:
        names |= LOCAL
    return names


class Connection(H11Protocol):
    """A connection of uvicorn's that does not wait for ever for a request.

    uvicorn only ends those on which nothing comes after an answer.
    """

    seen = None

    def connection_made(self, transport):
        super().connection_made(transport)
        if len(self.connections) > CONNECTIONS:
            transport.abort()
        self.loop.call_later(PATIENCE, self.close_if_slow)

    def close_if_slow(self):
        """Close it if no request has come since the last look, and none is answered."""
        if self.transport.is_closing():
            return
        is_answering = self.cycle and not self.cycle.response_complete
        if self.cycle is self.seen and not is_answering:
            self.transport.close()
            return
        self.seen = self.cycle
        self.loop.call_later(PATIENCE, self.close_if_slow)

    def shutdown(self):
        """End also the streams, which last as long as a browser shows the page."""
        super().shutdown()
        self.transport.close()


def page_server(application):
    """The `uvicorn.Server` of an ASGI application."""
    config = uvicorn.Config(
        application,
        http=Connection,
        ws="none",
        log_config=None,  # its own logging would close the handlers of all others
        log_level="warning",
    )
    return uvicorn.Server(config)
