"""Realistic run folders for the report's tests and bench, built from a description of what happened.

A :class:`testing.histories.sample_plan.Scenario` says what users and platform went through in seconds after the fault. :func:`write_run`
turns it into a closed run folder with the schema of :mod:`history` and has :mod:`verdict` judge it.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl

from history.plan import write_plan
from history.reader import read_run
from history.schema import EVENTS, SAMPLES, EventKind, Series
from testing.histories.sample_plan import BASE_NS, BASELINE_S, NODES, REPLICAS, Scenario, Step, ns, plan_of
from testing.histories.sample_traffic import traffic
from verdict import judge


def write_run(root: Path, scenario: Scenario, trial: int = 1, trials: int = 1) -> Path:
    """Write one closed and judged run under ``root`` and return its folder."""
    run_dir = root / f"{scenario.id.replace('/', '-')}-{trial}"
    (run_dir / "scene").mkdir(parents=True)
    plan = plan_of(scenario, trial, trials)
    write_plan(plan, run_dir)
    schedule, requests = traffic(scenario, seed=plan.seed + trial)
    frames = {"schedule": schedule, "requests": requests, "events": events(scenario, requests.height), "samples": samples(scenario)}
    for name, frame in frames.items():
        frame.write_parquet(run_dir / f"{name}.parquet")
    (run_dir / "scene" / "events.txt").write_text("3s  Normal  Killing  pod/inference-7c9d-4k2xp  Stopping container api\n")
    (run_dir / "scene" / "inference-7c9d-4k2xp.previous.log").write_text("engine: step 4812 batch=4\n" * 40)
    (run_dir / "verdict.json").write_text(judge(read_run(run_dir)).model_dump_json(indent=1))
    return run_dir


def events(s: Scenario, recorded: int) -> pl.DataFrame:
    """Return the events of ``s``: the run's own frame plus ``s.steps``."""
    end_s = s.observed_s
    steps = [
        Step(-BASELINE_S - 3, EventKind.PHASE, "preflight"),
        Step(-BASELINE_S, EventKind.LOAD_START, "w0"),
        Step(-BASELINE_S, EventKind.PHASE, "baseline"),
        *(
            Step(-BASELINE_S - 1, EventKind.POD_READY, pod, {"node": node, "role": "inference"})
            for pod, node in zip(REPLICAS, NODES, strict=True)
        ),
        *(Step(-BASELINE_S - 1, EventKind.ENDPOINT_IN, pod) for pod in REPLICAS),
        *(Step(-BASELINE_S - 1, EventKind.NODE_READY, node) for node in NODES),
        Step(-0.3, EventKind.PHASE, "write-ahead"),
        Step(-0.1, EventKind.PHASE, "inject"),
        Step(0.05, EventKind.PHASE, "observe"),
        Step(end_s - 1, EventKind.PHASE, "heal"),
        Step(end_s - 1, EventKind.HEAL_START, ""),
        Step(end_s - 0.4, EventKind.HEAL_END, "", {"clean": True, "remains": []}),
        Step(end_s, EventKind.LOAD_STOP, "w0"),
        Step(end_s + 0.1, EventKind.LOAD_AUDIT, "w0", {"cap_hit": 0, "sent": recorded, "recorded": recorded, "cpu_share_max": 0.31}),
        *(Step(-BASELINE_S - 3, EventKind.CLOCK, process, {"wall_ns": BASE_NS, "monotonic_ns": 0}) for process in ("runner", "w0")),
        *_hypothesis(s),
        *_fault(s),
        *s.steps,
    ]
    rows = [
        {"t_ns": ns(x.t_s), "kind": x.kind.value, "object": x.object, "detail": json.dumps(x.detail)}
        for x in sorted(steps, key=lambda x: x.t_s)
    ]
    return pl.DataFrame(rows, schema=EVENTS)


def _fault(s: Scenario) -> list[Step]:
    if s.fault == "none":
        return []
    steps = [Step(0, EventKind.FAULT_START, s.action, {"targets": [s.target]})]
    steps.append(Step(s.ended_s, EventKind.FAULT_END, s.action, {"how": "replaced by its ReplicaSet"}))
    if s.confirmed_s is None:
        return [*steps, Step(10, EventKind.FAULT_UNCONFIRMED, "replica-gone", {"observed": "uid 5f0c still present", "deadline_s": 10})]
    return [*steps, Step(s.confirmed_s, EventKind.FAULT_CONFIRMED, "replica-gone", {"observed": "uid 5f0c… gone"})]


def _hypothesis(s: Scenario) -> list[Step]:
    """Return one evaluation a second of each probe of the hypothesis, from the baseline until healing."""
    steps = []
    for t_s in np.arange(-BASELINE_S + 0.5, s.observed_s - 1.5, 1.0):
        met = not any(hit.start_s <= t_s < (hit.end_s or np.inf) for hit in s.impacts)
        values = {"error-ratio": 0.0 if met else 0.33, "latency-p95": round(0.081 + t_s / 1e5, 6), "ready-replicas": 3}
        steps += [Step(t_s, EventKind.HYPOTHESIS, name, {"met": met, "value": value}) for name, value in values.items()]
    return steps


def samples(s: Scenario) -> pl.DataFrame:
    """Return health, queue, in-flight and generator samples of ``s``, one a second (in flight: four)."""
    rows: list[dict[str, object]] = []
    hang = any(hit.kind in {"hang", "slow"} for hit in s.impacts)
    for t_s in np.arange(-BASELINE_S, s.observed_s, 0.25):
        bad = max((hit.bad_share for hit in s.impacts if hit.start_s <= t_s < (hit.end_s or np.inf)), default=0.0)
        rows.append(
            _sample(t_s, Series.IN_FLIGHT, {"worker": "w0"}, round(s.rate_rps * (0.06 + (2.5 * bad if hang else 0)) + np.sin(t_s), 0))
        )
        if t_s == int(t_s):
            rows.append(_sample(t_s, Series.QUEUE_DEPTH, {}, round(s.rate_rps * 0.8 * bad)))
            rows.append(_sample(t_s, Series.LOAD_CPU, {"worker": "w0"}, 0.22 + 0.05 * bad))
            rows += [_sample(t_s, Series.HEALTH, {"pod": pod}, value) for pod, value in _health(s, t_s, bad > 0).items()]
    return pl.DataFrame(rows, schema=SAMPLES)


def _health(s: Scenario, t_s: float, bad: bool) -> dict[str, float]:
    """Return what each living replica says: the first one says red while users are hit, but only from ``s.green_s`` on."""
    gone = {step.object for step in s.steps if step.kind is EventKind.POD_GONE and step.t_s <= t_s}
    new = {step.object for step in s.steps if step.kind is EventKind.POD_READY and step.t_s <= t_s}
    living = [pod for pod in dict.fromkeys((*REPLICAS, *sorted(new))) if pod not in gone]
    return {pod: float(not (bad and pod == REPLICAS[0] and t_s >= s.green_s)) for pod in living}


def _sample(t_s: float, series: Series, labels: dict[str, str], value: float) -> dict[str, object]:
    return {"t_ns": ns(t_s), "series": series.value, "labels": json.dumps(labels), "value": float(value)}
