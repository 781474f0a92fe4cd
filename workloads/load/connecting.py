"""Connecting to a name of several addresses as clients do: one after another, a quarter of a second apart, the first that answers wins.

"Happy Eyeballs", RFC 8305, sections 5 and 8. An address that drops what it is sent then costs users a quarter of a second, not a minute.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import gevent
import gevent.queue
import gevent.socket
from gevent import Greenlet

STAGGER_S = 0.25
"""The Connection Attempt Delay that RFC 8305 recommends."""


class Address(NamedTuple):
    """One result of getaddrinfo."""

    family: int
    kind: int
    proto: int
    name: str
    address: tuple[Any, ...]

    @property
    def text(self) -> str:
        """The address and the port."""
        return f"{self.address[0]}:{self.address[1]}"


class ConnectTimeout(OSError):
    """No address could be connected to in time."""


def connected(addresses: Sequence[Address], host: str) -> tuple[Any, Address]:
    """Return a socket that is connected to the first of ``addresses`` that answers, and which that is.

    Raises:
        OSError: the last refusal, if every address refused; ``host`` has no address.

    """
    if not addresses:
        raise OSError(f"{host} has no address")
    return (_connect(addresses[0]), addresses[0]) if len(addresses) == 1 else _Race(addresses).run()


class _Race:
    """Attempts at several addresses, the next one begun when the last has failed or a quarter of a second has passed."""

    def __init__(self, addresses: Sequence[Address]) -> None:
        self._left = list(addresses)
        self._running: list[Greenlet] = []
        self._ended: gevent.queue.SimpleQueue[tuple[Address, Any]] = gevent.queue.SimpleQueue()
        self._pending = 0
        self._over = False

    def run(self) -> tuple[Any, Address]:
        """Return the winner's socket and address; the other attempts are given up."""
        try:
            return self._winner()
        finally:
            self._over = True
            gevent.killall(self._running, block=False)
            while not self._ended.empty():
                _close(self._ended.get()[1])

    def _winner(self) -> tuple[Any, Address]:
        last = OSError("no attempt was made")
        while self._left or self._pending:
            if self._left:
                self._begin(self._left.pop(0))
            try:
                address, came = self._ended.get(timeout=STAGGER_S if self._left else None)
            except gevent.queue.Empty:
                continue
            self._pending -= 1
            if not isinstance(came, OSError):
                return came, address
            last = came
        raise last

    def _begin(self, address: Address) -> None:
        self._pending += 1
        self._running.append(gevent.spawn(self._attempt, address))

    def _attempt(self, address: Address) -> None:
        try:
            came = _connect(address)
        except OSError as error:
            came = error
        if self._over:
            _close(came)
        else:
            self._ended.put((address, came))


def _connect(address: Address) -> Any:  # noqa: ANN401 - gevent's socket
    sock = gevent.socket.socket(address.family, address.kind, address.proto)
    with closed_on_failure(sock):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.connect(address.address)
    return sock


@contextmanager
def closed_on_failure(sock: Any) -> Iterator[None]:  # noqa: ANN401 - gevent's sockets
    """Close ``sock`` if the block does not come to its end; a time-out, which is none of Exception, must not leak it either."""
    try:
        yield
    except BaseException:
        sock.close()
        raise


def _close(came: Any) -> None:  # noqa: ANN401 - a socket, or why there is none
    if not isinstance(came, OSError):
        came.close()
