"""A SOCKS5 proxy on loopback (RFC 1928, no authentication) that resolves every name to one server."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

NAME = 3  # the kind of address that is a host name


@contextmanager
def socks_proxy(port: int) -> Iterator[tuple[str, list[str]]]:
    """Serve until the block ends; yield its URL and the names that it was asked to resolve. All lead to ``port`` of this machine."""
    names: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_accept, args=(listener, port, names), daemon=True).start()
        yield f"socks5://127.0.0.1:{listener.getsockname()[1]}", names
        listener.shutdown(socket.SHUT_RDWR)


def _accept(listener: socket.socket, port: int, names: list[str]) -> None:
    with suppress(OSError):
        while True:
            near, _ = listener.accept()
            threading.Thread(target=_serve, args=(near, port, names), daemon=True).start()


def _serve(near: socket.socket, port: int, names: list[str]) -> None:
    """Forward one connection until both its ends are done."""
    with near, socket.create_connection(("127.0.0.1", port)) as far:
        names.append(_greeted(near))
        back = threading.Thread(target=_pump, args=(far, near), daemon=True)
        back.start()
        _pump(near, far)
        back.join()


def _greeted(near: socket.socket) -> str:
    """Do the handshake; return the name that was asked for, empty for an address."""
    near.recv(64)
    near.sendall(b"\x05\x00")
    asked = near.recv(512)
    near.sendall(b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
    return asked[5 : 5 + asked[4]].decode() if asked[3] == NAME else ""


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_RDWR)
