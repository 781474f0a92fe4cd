"""Loads that run to their end unattended are started together, once: most of their time is waiting."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest

from history.reader import Run, read_run
from testing.load.load_runs import beside_requests, finish, scripted_server, start_load, write_load_plan

KINDS = ("refuse", "hang", "slow", "500", "truncated", "reset", "wrong", "unterminated")
HORIZON_S = 0.2 + 0.7 * len(KINDS)
ALWAYS = {"at_s": 0, "for_s": 600}
HEDGED = {"policy": "hedged", "max_attempts": 4, "hedge_after_ms": 100}


@dataclass(frozen=True, slots=True)
class Scenario:
    """What the server does, and what the load asks for."""

    script: list[dict[str, Any]]
    load: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Played:
    """What was recorded, and what really happened."""

    run: Run
    truth: dict[str, Any]

    def outage(self, kind: str) -> dict[str, Any]:
        """Return the truth about the outage of one kind."""
        found: dict[str, Any] = next(outage for outage in self.truth["outages"] if outage["kind"] == kind)
        return found


SCENARIOS = {
    "outages": Scenario(
        [
            {"at_s": 0.2 + 0.7 * number, "for_s": 0.5, "kind": kind, "delay_s": 0.15, "least": 0 if kind == "refuse" else 20}
            for number, kind in enumerate(KINDS)
        ],
        {"rate_rps": 200.0, "horizon_s": HORIZON_S, "timeout_s": 10.0},  # far longer than a busy machine makes an answer wait
    ),
    "naive": Scenario([ALWAYS | {"kind": "500", "share": 0.5}], {"retry": {"policy": "naive", "max_attempts": 3, "backoff_ms": 5}}),
    "budgeted": Scenario(
        [ALWAYS | {"kind": "500"}], {"retry": {"policy": "budgeted", "max_attempts": 3, "backoff_ms": 5, "budget_ratio": 0.2}}
    ),
    "hedged": Scenario(
        [ALWAYS | {"kind": "slow", "share": 0.2, "delay_s": 5}, ALWAYS | {"kind": "reset", "share": 0.2}], {"retry": HEDGED}
    ),
}


@pytest.fixture(scope="session")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Played]]:
    folders = {name: tmp_path_factory.mktemp(name) for name in SCENARIOS}
    with ExitStack() as servers:
        running, loads = {}, {}
        for name, scenario in SCENARIOS.items():
            running[name] = servers.enter_context(scripted_server(folders[name] / "truth.json", scenario.script))
            write_load_plan(folders[name], running[name].url, **scenario.load)
            loads[name] = start_load(folders[name])
        ended = {name: finish(load) for name, load in loads.items()}
    assert {name: (code, beside_requests(errors)) for name, (code, _, errors) in ended.items()} == dict.fromkeys(SCENARIOS, (0, ""))
    return {name: Played(read_run(folders[name]), server.truth()) for name, server in running.items()}
