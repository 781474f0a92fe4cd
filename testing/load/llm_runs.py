"""The real load against the scripted LLM platform: one fault, who was hurt by the platform's own account, and the verdict of the run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from history.budgets import Budgets
from history.plan import Phase, Timers
from history.reader import Run, read_run
from history.result import RunVerdict
from history.schema import EventKind
from history.workloads import Mix, Slo
from testing.histories.edits import EventRow, add_events, with_plan
from testing.load.load_runs import Server, finish, start_load, write_load_plan
from testing.load.program import program
from verdict import judge


@dataclass(frozen=True, slots=True)
class World:
    """How slow the platform is and how it is asked; ``hurried`` is the same with short answers, for a test."""

    ttft_s: tuple[float, float] = (0.3, 2.0)
    token_s: tuple[float, float] = (0.02, 0.05)
    tokens: tuple[int, int] = (200, 600)
    rate_rps: float = 2.0
    slo: Slo = field(default_factory=lambda: Slo(ratio=0.95, ttft_ms=3000, max_gap_ms=1000, latency_ms=40_000))
    before_s: float = 75.0  # of the fault: a baseline and what is under way
    hold_s: float = 40.0

    @classmethod
    def hurried(cls) -> World:
        """Return a world of answers of two seconds, some ten of them under way at any time."""
        slo = Slo(ratio=0.95, ttft_ms=1500, max_gap_ms=1000, latency_ms=6_000)
        return cls((0.06, 0.3), (0.06, 0.1), (15, 30), 6.0, slo, before_s=14.0, hold_s=12.0)


@dataclass(frozen=True, slots=True)
class Told:
    """The platform's own account of a fault (times ns UTC)."""

    begin_ns: int
    end_ns: int
    under_way: int
    hurt: dict[str, str]

    @property
    def lasted_s(self) -> float:
        """How long the fault lasted."""
        return (self.end_ns - self.begin_ns) / 1e9

    def hurt_by(self, *reasons: str) -> int:
        """Return how many were hurt in one of ``reasons``; without any: how many were hurt."""
        return sum(not reasons or reason in reasons for reason in self.hurt.values())


@dataclass(frozen=True, slots=True)
class Played:
    """A run, what the platform says of its fault, and what the judge says."""

    run: Run
    told: Told
    verdict: RunVerdict


def play(folder: Path, kind: str, world: World | None = None, *, for_s: float = 0.0, count: int = 0, rto_s: float = 60.0) -> Played:
    """Play one fault against the load of ``world`` and judge the run."""
    world = world or World()
    script = {"kind": kind, "at_s": world.before_s, "for_s": for_s, "count": count}
    with llm_platform(folder / "truth.json", script, world) as server:
        _write_plan(folder, server.url, world, for_s)
        code, _, errors = finish(start_load(folder))
        if code:
            raise RuntimeError(f"the load ended with exit code {code}: {errors}")
    raw = server.truth()
    told = Told(raw["begin_ns"], raw["end_ns"], len(raw["under_way"]), raw["hurt"])
    timers = Timers(baseline_s=world.before_s, hold_s=world.hold_s, confirm_s=1, deadline_s=for_s + world.hold_s, heal_s=1, fault_s=for_s)
    recorded = with_plan(read_run(folder), budgets=Budgets(rto_s=rto_s), experiment={"fault": "fault"}, timers=timers)
    run = add_events(recorded, _events(recorded, kind, told))
    return Played(run, told, judge(run))


@contextmanager
def llm_platform(log: Path, script: dict[str, Any], world: World) -> Iterator[Server]:
    """Run the scripted platform until the block ends."""
    log.parent.mkdir(parents=True, exist_ok=True)
    spans = {"--ttft": world.ttft_s, "--token": world.token_s}
    options = [part for name, (low, high) in spans.items() for part in (name, f"{low},{high}")]
    limits = ["--slo-ttft", str((world.slo.ttft_ms or 0) / 1e3), "--slo-gap", str((world.slo.max_gap_ms or 0) / 1e3)]
    with program("testing.load.llm_platform", "--script", json.dumps(script), "--log", str(log), *options, *limits) as platform:
        yield Server(platform.port, platform.pid, log)


def _write_plan(folder: Path, url: str, world: World, for_s: float) -> None:
    timeout_s = 2 * world.slo.latency_ms / 1e3
    horizon_s = world.before_s + for_s + 2 * world.hold_s
    prompts = folder / "unknown.jsonl"
    prompts.write_text('{"prompt": "Tell a story."}\n')
    mix = (Mix(weight=1, stream=True, max_tokens=world.tokens),)
    users = {"mode": "users", "users": 50}  # as a class of workload has them by default
    offered = {"rate_rps": world.rate_rps, "mix": mix, "timeout_s": timeout_s, "prompts": str(prompts), "connections": users}
    write_load_plan(folder, url, world.slo, horizon_s=horizon_s, **offered)


def _events(run: Run, kind: str, told: Told) -> list[EventRow]:
    """Return the events that a runner would have recorded in ``run``, for the fault that was."""
    start_ns = run.first(EventKind.LOAD_START) or 0
    healed_ns = (run.last(EventKind.LOAD_STOP) or 0) - int(1e9)
    return [
        (start_ns, EventKind.PHASE, Phase.BASELINE.value, {}),
        (told.begin_ns, EventKind.PHASE, Phase.INJECT.value, {}),
        (told.begin_ns, EventKind.FAULT_START, kind, {"targets": ["replica-0"] if kind == "kill" else []}),
        (told.begin_ns, EventKind.FAULT_CONFIRMED, "script", {"observed": kind}),
        (told.begin_ns, EventKind.PHASE, Phase.OBSERVE.value, {}),
        (told.end_ns, EventKind.FAULT_END, kind, {"how": "by itself"}),
        (healed_ns, EventKind.HEAL_START, "", {}),
        (healed_ns, EventKind.HEAL_END, "", {"clean": True, "remains": []}),
    ]
