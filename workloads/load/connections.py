"""Keep-alive connections to one endpoint, none older than its age allows.

A Service balances connections, not requests: a kept connection pins its requests to the pod or gateway that accepted it. Users would
look luckier, or unluckier, than they are. So connections are dropped at ``max_age_s``, and a name is looked up again as often.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
from typing import Any

import gevent.monkey
import gevent.socket

from history.clock import now_ns
from workloads.load.wire.endpoint import Endpoint

# gevent's own select and poll yield to the loop; asking whether a descriptor is readable right now must not.
_poll = gevent.monkey.get_original("select", "poll")


class Connection:
    """One socket, the address of its peer, its number among those opened, and when it was opened."""

    __slots__ = ("_poll", "born_ns", "number", "peer", "sock")

    def __init__(self, sock: Any, peer: str, number: int) -> None:  # noqa: ANN401 - gevent's plain or TLS socket
        self.sock, self.peer, self.number, self.born_ns = sock, peer, number, now_ns()
        self._poll = _poll()
        self._poll.register(sock.fileno(), select.POLLIN)

    def dropped(self) -> bool:
        """Tell whether the peer has closed or, with no request under way, sent something."""
        return bool(self._poll.poll(0))

    def close(self) -> None:
        """Close the socket."""
        self.sock.close()


class Connections:
    """The idle connections to one endpoint; the most recently used is taken first."""

    def __init__(self, endpoint: Endpoint, max_age_s: float, tls: ssl.SSLContext | None = None) -> None:
        self._endpoint, self._max_age_ns, self._tls = endpoint, int(max_age_s * 1e9), tls
        self._idle: list[Connection] = []
        self._addresses: list[Any] = []
        self._resolved_ns = 0
        self.opened = 0

    def warm_up(self) -> None:
        """Look the name up once: gevent's resolver and Python's codecs load at first use, 10 ms in which nothing would be sent."""
        with contextlib.suppress(OSError):  # a name that does not resolve is for the requests to find, one row each
            self._resolve()

    def take(self) -> Connection:
        """Return an idle connection that is young and alive, or a new one.

        Raises:
            OSError: no address of the endpoint could be connected to (its subclasses say why).

        """
        return self.idle() or self._open()

    def idle(self) -> Connection | None:
        """Return an idle connection that is young and alive, if there is one."""
        oldest_ns = now_ns() - self._max_age_ns
        while self._idle:
            connection = self._idle.pop()
            if connection.born_ns >= oldest_ns and not connection.dropped():
                return connection
            connection.close()
        return None

    def give_back(self, connection: Connection) -> None:
        """Keep ``connection`` for another request."""
        self._idle.append(connection)

    def sweep(self) -> None:
        """Close idle connections that are too old or that the peer has closed."""
        oldest_ns = now_ns() - self._max_age_ns
        idle, self._idle = self._idle, []
        for connection in idle:
            if connection.born_ns >= oldest_ns and not connection.dropped():
                self._idle.append(connection)
            else:
                connection.close()

    def _open(self) -> Connection:
        self._resolve()
        last: OSError | None = None
        for _ in range(len(self._addresses)):
            self._addresses.append(self._addresses.pop(0))  # the next connection begins at the next address
            try:
                return self._connect(*self._addresses[-1])
            except OSError as error:
                last = error
        raise last or OSError(f"{self._endpoint.host} has no address")

    def _connect(self, family: int, kind: int, proto: int, _name: str, address: tuple[Any, ...]) -> Connection:
        sock = gevent.socket.socket(family, kind, proto)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.connect(address)
            if self._tls:
                sock = self._tls.wrap_socket(sock, server_hostname=self._endpoint.host)
        except BaseException:  # a time-out is none of Exception, and must not leak the socket either
            sock.close()
            raise
        self.opened += 1
        return Connection(sock, f"{address[0]}:{address[1]}", self.opened)

    def _resolve(self) -> None:
        if not self._addresses or now_ns() - self._resolved_ns > self._max_age_ns:
            found = gevent.socket.getaddrinfo(self._endpoint.host, self._endpoint.port, type=socket.SOCK_STREAM)
            self._addresses, self._resolved_ns = list(found), now_ns()
