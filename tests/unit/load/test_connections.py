"""How users connect: who shares connections with whom, what becomes of them, and which address is tried when."""

from __future__ import annotations

import itertools
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gevent
import gevent.server
import gevent.socket
import pytest

from history.clock import now_ns
from history.connection_policy import ConnectionPolicy
from history.prompts import Prompt
from history.workloads import Load, Mix
from testing.load.silent_address import silent_address
from workloads.load import connecting
from workloads.load.client import Client, Row
from workloads.load.connecting import Address, connected
from workloads.load.connections import Connections, users_of
from workloads.load.exchange import Call
from workloads.load.wire.endpoint import Endpoint

BODY = b'{"choices": [{"text": "a", "finish_reason": "length"}]}'
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(BODY), BODY)


def load_of(url: str = "http://127.0.0.1:1", **fields: object) -> Load:
    plain = {"model": "m", "mix": (Mix(weight=1, max_tokens=(1, 1)),), "prompts": "p", "in_flight_cap": 9, "timeout_s": 5}
    return Load.model_validate({"url": url, **plain, "rate_rps": 10.0, "horizon_s": 1.0, "seed": 1, **fields})


@contextmanager
def serving() -> Iterator[tuple[str, list[bytes]]]:
    """Answer every request; give the URL and the requests as they came."""
    seen: list[bytes] = []

    def converse(sock: Any, _address: object) -> None:
        while data := sock.recv(65_536):
            seen.append(data)
            sock.sendall(ANSWER)
        sock.close()

    server = gevent.server.StreamServer(("127.0.0.1", 0), converse)
    server.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", seen
    finally:
        server.stop()


def asked(load: Load, requests: range) -> list[Row]:
    client = Client(load, "run", "load-0")
    calls = (Call(number, now_ns(), False, Prompt("p", None), 1) for number in requests)
    rows = [client.attempt(call, 0, client.begin(call, 0)) for call in calls]
    close(client.connections)
    return rows


def close(pool: Connections) -> None:
    for user in range(50):
        while connection := pool.idle(user):
            connection.close()


def test_a_user_keeps_its_connection_and_no_other_uses_it() -> None:
    with serving() as (url, _):
        load = load_of(url, connections={"mode": "users", "users": 4})
        rows = asked(load, range(40))
    who = users_of(load, 0)
    connection = {who(row["request_id"]): row["connection"] for row in rows}
    assert sorted(connection.values()) == [1, 2, 3, 4]
    assert [row["connection"] for row in rows] == [connection[who(row["request_id"])] for row in rows]


def test_each_request_has_its_own_connection_and_says_that_it_closes_it() -> None:
    with serving() as (url, seen):
        rows = asked(load_of(url, connections={"mode": "each_request"}), range(5))
    assert [row["connection"] for row in rows] == [1, 2, 3, 4, 5]
    assert all(b"\r\nconnection: close\r\n" in request for request in seen)


def test_shared_connections_are_taken_the_most_recently_used_first() -> None:
    with serving() as (url, seen):
        rows = asked(load_of(url, connections={"mode": "shared"}), range(5))
    assert {row["connection"] for row in rows} == {1}
    assert not any(b"connection: close" in request for request in seen)


def test_a_user_whose_connection_is_busy_opens_another() -> None:
    with serving() as (url, _):
        pool = Connections(Endpoint.of(url), load_of(url, connections={"mode": "users"}))
        busy, second = pool.take(7), pool.take(7)
        pool.give_back(busy)
        pool.give_back(second)
        numbers = busy.number, second.number
        assert pool.idle(8) is None
        assert pool.take(7) is second
        pool.give_back(second)
        close(pool)
    assert numbers == (1, 2)


def test_a_connection_is_not_used_beyond_its_age() -> None:
    with serving() as (url, _):
        pool = Connections(Endpoint.of(url), load_of(url, connection_max_age_s=0.001))
        old = pool.take(0)
        pool.give_back(old)
        gevent.sleep(0.01)
        pool.sweep()
        young = pool.take(0)
        assert young is not old
        young.close()


def test_users_are_drawn_evenly_and_alike_in_every_run_of_a_seed() -> None:
    load = load_of(connections={"mode": "users", "users": 50})
    drawn = [users_of(load, 0)(request) for request in range(10_000)]
    assert drawn == [users_of(load, 0)(request) for request in range(10_000)]
    assert drawn != [users_of(load_of(seed=2, connections={"mode": "users"}), 0)(request) for request in range(10_000)]
    counts = Counter(drawn)
    assert sorted(counts) == list(range(50))
    assert max(counts.values()) < 1.5 * min(counts.values())
    in_a_row = sum(one == other for one, other in itertools.pairwise(drawn))
    assert 100 < in_a_row < 300  # of chance 200: a draw does not look at the last one


@pytest.mark.parametrize(("users", "workers"), [(50, 3), (2, 4), (7, 7)])
def test_workers_simulate_as_many_users_together(users: int, workers: int) -> None:
    load = load_of(workers=workers, connections={"mode": "users", "users": users})
    mine = [len({users_of(load, worker)(request) for request in range(2_000)}) for worker in range(workers)]
    assert sum(mine) == max(users, workers)


def test_older_plans_share_and_files_that_say_nothing_have_users() -> None:
    assert load_of().connections == ConnectionPolicy(mode="shared")
    assert (ConnectionPolicy().mode, ConnectionPolicy().users) == ("users", 50)
    assert ConnectionPolicy.model_validate({"users": 200}).users == 200
    assert ConnectionPolicy.model_validate_json(ConnectionPolicy(mode="each_request").model_dump_json()).users is None
    with pytest.raises(ValueError, match="users is for mode users, not for shared"):
        ConnectionPolicy(mode="shared", users=3)


def address(host: str, port: int) -> Address:
    return Address(socket.AF_INET, socket.SOCK_STREAM, 0, "", (host, port))


def test_the_next_address_is_tried_while_the_first_says_nothing() -> None:
    with serving() as (url, _), silent_address("127.0.0.11") as port:
        open_address = address("127.0.0.1", Endpoint.of(url).port)
        sock, reached = connected([address("127.0.0.11", port), open_address], "two.test")
        sock.close()
    assert reached == open_address


def test_the_next_address_is_tried_at_once_when_the_first_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connecting, "STAGGER_S", 60.0)
    with serving() as (url, _):
        port = Endpoint.of(url).port
        sock, reached = connected([address("127.0.0.1", 1), address("127.0.0.1", port)], "two.test")
        sock.close()
    assert reached.address == ("127.0.0.1", port)
    with pytest.raises(ConnectionRefusedError):
        connected([address("127.0.0.1", 1), address("127.0.0.1", 2)], "two.test")


def test_an_attempt_that_connects_after_the_race_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    left: list[Any] = []
    real = connecting._close
    monkeypatch.setattr(connecting, "STAGGER_S", 0.0)

    def close_and_tell(came: Any) -> None:
        left.append(came)
        real(came)

    monkeypatch.setattr(connecting, "_close", close_and_tell)
    with serving() as (url, _):
        port = Endpoint.of(url).port
        for _ in range(20):
            sock, _ = connected([address("127.0.0.1", port)] * 3, "three.test")
            sock.close()
        gevent.sleep(0.05)
    assert all(came.closed for came in left if not isinstance(came, OSError))


def test_no_address_answers_within_the_time_for_connecting(monkeypatch: pytest.MonkeyPatch) -> None:
    with silent_address("127.0.0.11") as port, silent_address("127.0.0.12", port):
        found = [address("127.0.0.11", port), address("127.0.0.12", port)]
        monkeypatch.setattr(gevent.socket, "getaddrinfo", lambda *_, **__: found)
        (row,) = asked(load_of(f"http://two.test:{port}", timeout_s=60, connect_timeout_s=0.4), range(1))
    assert row["error"] == f"ConnectTimeout: no connection to 127.0.0.12:{port} or 127.0.0.11:{port} within 0.4 s"
    assert (row["outcome"], row["connection"], row["done_ns"] - row["sent_ns"] < 30e9) == ("fail", None, True)


def test_the_time_for_connecting_is_none_of_the_answers() -> None:
    def slow(sock: Any, _address: object) -> None:
        sock.recv(65_536)
        gevent.sleep(0.4)
        sock.sendall(ANSWER)
        sock.close()

    server = gevent.server.StreamServer(("127.0.0.1", 0), slow)
    server.start()
    try:
        (row,) = asked(load_of(f"http://127.0.0.1:{server.server_port}", connect_timeout_s=0.2), range(1))
    finally:
        server.stop()
    assert row["outcome"] == "ok"
