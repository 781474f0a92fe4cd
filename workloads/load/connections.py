"""Keep-alive connections of simulated users to one endpoint, none older than its age allows.

A Service balances connections, not requests: a kept connection pins its requests to the pod or gateway that accepted it. So each user has
connections of its own, as real ones do, and they are dropped at ``max_age_s``; a name is looked up again as often.
"""

from __future__ import annotations

import contextlib
import hashlib
import select
import socket
import ssl
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import gevent.monkey
import gevent.socket

from history.clock import now_ns
from history.workloads import Load
from workloads.load.connecting import Address, ConnectTimeout, closed_on_failure, connected
from workloads.load.wire.endpoint import Endpoint

# gevent's own select and poll yield to the loop; asking whether a descriptor is readable right now must not.
_poll = gevent.monkey.get_original("select", "poll")


class Connection:
    """One socket, the address of its peer, the user whose it is, its number among those opened, and when it was opened."""

    __slots__ = ("_poll", "born_ns", "number", "peer", "sock", "user")

    def __init__(self, sock: Any, peer: str, number: int, user: int) -> None:  # noqa: ANN401 - gevent's plain or TLS socket
        self.sock, self.peer, self.number, self.user, self.born_ns = sock, peer, number, user, now_ns()
        self._poll = _poll()
        self._poll.register(sock.fileno(), select.POLLIN)

    def dropped(self) -> bool:
        """Tell whether the peer has closed or, with no request under way, sent something."""
        return bool(self._poll.poll(0))

    def close(self) -> None:
        """Close the socket."""
        self.sock.close()


class Connections:
    """The idle connections of each user to one endpoint.

    A user whose connection is busy opens another one, as HTTP/1.1 clients do, and later takes the most recently used of its own first.
    ``keep``: whether a connection is used for more than one request.
    """

    def __init__(self, endpoint: Endpoint, load: Load, tls: ssl.SSLContext | None = None) -> None:
        self._endpoint, self._max_age_ns, self._tls = endpoint, int(load.connection_max_age_s * 1e9), tls
        self._timeout_s = min(load.connect_timeout_s, load.timeout_s)
        self.keep = load.connections.mode != "each_request"
        self._idle: defaultdict[int, list[Connection]] = defaultdict(list)
        self._addresses: list[Address] = []
        self._resolved_ns = 0
        self.opened = 0

    def warm_up(self) -> None:
        """Look the name up once: gevent's resolver and Python's codecs load at first use, 10 ms in which nothing would be sent."""
        with contextlib.suppress(OSError):  # a name that does not resolve is for the requests to find, one row each
            self._resolve()

    def take(self, user: int) -> Connection:
        """Return an idle connection of ``user`` that is young and alive, or a new one.

        Raises:
            ConnectTimeout: no address of the endpoint answered in time.
            OSError: none could be connected to (its subclasses say why).

        """
        return self.idle(user) or self._open(user)

    def idle(self, user: int) -> Connection | None:
        """Return an idle connection of ``user`` that is young and alive, if there is one."""
        idle = self._idle[user]
        while idle:
            connection = idle.pop()
            if self._usable(connection):
                return connection
            connection.close()
        return None

    def give_back(self, connection: Connection) -> None:
        """Keep ``connection`` for another request of its user, if users keep them."""
        if self.keep:
            self._idle[connection.user].append(connection)
        else:
            connection.close()

    def sweep(self) -> None:
        """Close idle connections that are too old or that the peer has closed."""
        for user, idle in self._idle.items():
            self._idle[user] = [connection for connection in idle if self._usable(connection)]
            for connection in set(idle).difference(self._idle[user]):
                connection.close()

    def _usable(self, connection: Connection) -> bool:
        return connection.born_ns >= now_ns() - self._max_age_ns and not connection.dropped()

    def _open(self, user: int) -> Connection:
        """Look up, connect and shake hands, all within the time for connecting."""
        timeout = gevent.Timeout.start_new(self._timeout_s)
        try:
            self._resolve()
            sock, address = connected(self._in_turn(), self._endpoint.host)
            if self._tls:
                sock = self._shaken(sock)
        except gevent.Timeout as over:
            if over is not timeout:
                raise
            raise ConnectTimeout(f"no connection to {self.tried()} within {self._timeout_s:g} s") from None
        finally:
            timeout.close()
        self.opened += 1
        return Connection(sock, address.text, self.opened, user)

    def _shaken(self, sock: Any) -> Any:  # noqa: ANN401 - gevent's sockets
        assert self._tls  # noqa: S101 - asked by the caller
        with closed_on_failure(sock):
            return self._tls.wrap_socket(sock, server_hostname=self._endpoint.host)

    def _in_turn(self) -> list[Address]:
        """Return the addresses; each connection begins at the next one."""
        if len(self._addresses) > 1:
            self._addresses.append(self._addresses.pop(0))
        return list(self._addresses)

    def tried(self) -> str:
        """Return which addresses a connection is tried to, in words."""
        return " or ".join(address.text for address in self._addresses) or f"{self._endpoint.authority}, whose name was not resolved,"

    def _resolve(self) -> None:
        if not self._addresses or now_ns() - self._resolved_ns > self._max_age_ns:
            found = gevent.socket.getaddrinfo(self._endpoint.host, self._endpoint.port, type=socket.SOCK_STREAM)
            self._addresses, self._resolved_ns = [Address(*one) for one in found], now_ns()


def users_of(load: Load, worker: int) -> Callable[[int], int]:
    """Return who asks a request, by its id: one of the users that worker number ``worker`` simulates.

    All attempts at a request are the same user's. Drawn by a hash of seed and id, hence in no order and the same in every run of a seed.
    Unless the plan has users, all requests are one's.
    """
    policy = load.connections
    if policy.mode != "users" or policy.users is None:
        return lambda _request_id: 0
    mine = max(1, (policy.users - worker + load.workers - 1) // load.workers)  # dealt to workers in turn, as requests are
    seed = load.seed
    return lambda request_id: int.from_bytes(hashlib.blake2b(b"%d %d" % (seed, request_id), digest_size=8).digest()) % mine
