"""SIGTERM: a drain that loses nothing, and the weak one that does."""

import signal

import pytest
import requests

from testing.waiting import wait_for
from tests.processes.inference.replica import Prompt, Replica, events, token_of


def test_a_drain_finishes_the_streams_in_flight(fleet: dict[str, Replica], prompts: list[Prompt]) -> None:
    replica, row = fleet["patient"].ready(), min(prompts, key=lambda p: len(p.prompt))
    with replica.post(row.prompt, 180, stream=True) as response:
        stream = events(response)
        first = next(stream)
        replica.engine.send_signal(signal.SIGSTOP)  # holds the answer open for as long as it takes to look around
        replica.api.send_signal(signal.SIGTERM)
        wait_for(lambda: replica.health() == (503, "draining"), "health is red")
        assert requests.get(f"{replica.url}/health/balancer", timeout=10).status_code == 404
        wait_for(lambda: replica.post(row.prompt, max_tokens=300).status_code == 503, "new requests are refused")
        replica.engine.send_signal(signal.SIGCONT)
        *rest, done = stream
    assert done == "[DONE]"
    assert "".join(map(token_of, [first, *rest]))[:64] == row.completion
    assert len(rest) == 179
    assert replica.exit_code() == 0


def test_without_a_drain_the_streams_in_flight_are_cut(fleet: dict[str, Replica], prompts: list[Prompt]) -> None:
    replica, row = fleet["weak"].ready(), min(prompts, key=lambda p: len(p.prompt))
    with replica.post(row.prompt, 200, stream=True) as response:
        stream = events(response)
        next(stream)
        replica.api.send_signal(signal.SIGTERM)
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            assert "[DONE]" not in list(stream)
    assert replica.exit_code() == 1
