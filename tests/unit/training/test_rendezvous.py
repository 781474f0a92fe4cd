"""Ranks meet at the address that answers, whatever else their rendezvous's name leads to."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from workloads.training import rendezvous

GONE = "127.0.0.9"  # nobody listens there


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


def named(monkeypatch: pytest.MonkeyPatch, *found: str) -> None:
    """Let every name lead to these addresses."""
    monkeypatch.setattr(rendezvous, "addresses", lambda _name, _port: list(found))


def test_the_pod_with_index_0_holds_it_at_its_own_address() -> None:
    environment = {"JOB_COMPLETION_INDEX": "0", "POD_IP": "10.0.0.7"}
    assert rendezvous.endpoint("run-0.trainer:29400", environment, lambda: False) == "10.0.0.7:29400"
    assert rendezvous.endpoint("run-0.trainer:29400", environment | {"POD_IP": "fd00::7"}, lambda: False) == "[fd00::7]:29400"


def test_without_an_index_the_name_is_what_was_set() -> None:
    assert rendezvous.endpoint("localhost:29400", {"POD_IP": "10.0.0.7"}, lambda: False) == "localhost:29400"


def test_of_two_addresses_the_one_that_answers_is_taken(monkeypatch: pytest.MonkeyPatch, listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    named(monkeypatch, GONE, "127.0.0.1")
    found = rendezvous.endpoint(f"run-0.trainer:{port}", {"JOB_COMPLETION_INDEX": "1"}, lambda: False)
    assert found == f"127.0.0.1:{port}"


def test_it_is_waited_for_until_it_answers(monkeypatch: pytest.MonkeyPatch, listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    seen = iter([[], [GONE], [GONE, "127.0.0.1"]])  # its name, the lost pod, its successor
    monkeypatch.setattr(rendezvous, "addresses", lambda _name, _port: next(seen))
    monkeypatch.setattr(rendezvous, "_PAUSE_S", 0.0)
    assert rendezvous.endpoint(f"run-0.trainer:{port}", {"JOB_COMPLETION_INDEX": "2"}, lambda: False) == f"127.0.0.1:{port}"


@pytest.mark.parametrize(("patience_s", "leaving"), [(0.0, False), (60.0, True)])
def test_when_nobody_answers_in_time_or_it_must_leave_the_name_is_returned(
    monkeypatch: pytest.MonkeyPatch, patience_s: float, leaving: bool
) -> None:
    named(monkeypatch, GONE)
    found = rendezvous.endpoint("run-0.trainer:29400", {"JOB_COMPLETION_INDEX": "1"}, lambda: leaving, patience_s)
    assert found == "run-0.trainer:29400"


def test_a_rendezvous_that_answered_and_does_no_more_is_silent(listener: socket.socket) -> None:
    watch = rendezvous.RendezvousWatch(f"127.0.0.1:{listener.getsockname()[1]}", patience_s=0.0)
    assert not watch.silent()
    listener.close()
    assert watch.silent()


def test_a_rendezvous_is_not_given_up_at_once_nor_before_it_first_answered(listener: socket.socket) -> None:
    patient = rendezvous.RendezvousWatch(f"127.0.0.1:{listener.getsockname()[1]}", patience_s=3600.0)
    assert not patient.silent()
    listener.close()
    assert not patient.silent()
    assert not rendezvous.RendezvousWatch(f"{GONE}:9", patience_s=0.0).silent()  # torchrun still comes up there: its own time-outs hold


def test_a_name_that_nobody_knows_has_no_address() -> None:
    assert rendezvous.addresses("nobody.invalid", "29400") == []
    assert rendezvous.addresses("127.0.0.1", "29400") == ["127.0.0.1"]
