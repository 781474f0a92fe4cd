"""Realistic run folders for the report's tests and bench, built from a description of what happened.

A :class:`Scenario` says what users and the platform went through in seconds after the fault; :func:`write_run` turns it into a closed
run folder with the schema of :mod:`history` and has :mod:`verdict` judge it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from history.plan import Budgets, Expect, ExperimentInfo, Forecast, Load, Mix, Plan, ResolvedTarget, Slo, TargetInfo, Timers, write_plan
from history.reader import read_run
from history.schema import EVENTS, REQUESTS, SAMPLES, SCHEDULE, EventKind, Series
from verdict import judge

BASE_NS = 1_790_000_000_000_000_000  # 2026-09-21 14:13:20 UTC; the fault acts BASELINE_S later
BASELINE_S = 20.0
REPLICAS = ("inference-7c9d-4k2xp", "inference-7c9d-8wzqm", "inference-7c9d-tq5rn")
NODES = ("zone-a-gpu", "zone-b-gpu", "zone-c-gpu")
ERRORS = {
    "refused": "ConnectionRefusedError: [Errno 111] Connection refused by 10.96.0.17:80",
    "hang": "TimeoutError: no answer within 4 s (request sent, nothing received)",
    "slow": "",
    "503": "HTTP 503 Service Unavailable: no server is available to handle this request",
}


@dataclass(frozen=True, slots=True)
class Impact:
    """Users were hit in [start_s, end_s) after the fault; ``end_s`` None: until the record ends."""

    start_s: float
    end_s: float | None
    bad_share: float = 1.0
    kind: str = "refused"


@dataclass(frozen=True, slots=True)
class Step:
    """One event of the platform, in seconds after the fault."""

    t_s: float
    kind: EventKind
    object: str
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scenario:
    """What one run went through."""

    id: str
    title: str
    hypothesis: str = "users are served within the SLO: 99 % of answers within 500 ms"
    tags: tuple[str, ...] = ("serving", "I1")
    fault: str = "fault"
    action: str = "kill-replica"
    target: str = "Pod/inference-7c9d-4k2xp"
    effect: str = "deleted with grace period 0"
    impacts: tuple[Impact, ...] = ()
    steps: tuple[Step, ...] = ()
    green_s: float = 0.0  # health said green although users were not served
    confirmed_s: float | None = 0.4
    ended_s: float = 1.0
    rto_budget_s: float = 30.0
    observed_s: float = 35.0
    rate_rps: float = 40.0
    forecast: Forecast | None = None
    expect: Expect | None = None
    send_lag_ms: float = 0.4
    description: str = ""


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


def plan_of(s: Scenario, trial: int = 1, trials: int = 1) -> Plan:
    """Return the plan of ``s``."""
    kind, _, name = s.target.partition("/")
    return Plan(
        run_id=f"20260921-141320-{s.id.replace('/', '-')}-{trial}",
        trial=trial,
        trials=trials,
        created_ns=BASE_NS - 4_000_000_000,
        seed=7,
        profile="smoke",
        experiment=ExperimentInfo(
            id=s.id,
            title=s.title,
            description=s.description or f"{s.title} while users ask for completions.",
            tags=s.tags,
            hypothesis=s.hypothesis,
            fault=s.fault,
            digest="9f2c4e1ab0",
        ),
        target=TargetInfo(
            name="local",
            context="aftershock",
            server="https://10.77.0.2:6443",
            namespaces=("ml-serving", "aftershock"),
            fidelity={"gpu": "substitute device, same symptom as a CUDA error"},
        ),
        workload="realtime-inference",
        slo=Slo(ratio=0.99, latency_ms=500, ttft_ms=250, max_gap_ms=400),
        budgets=Budgets(
            rto_s=s.rto_budget_s,
            rpo_requests=0,
            availability=0.65,
            p95_ratio=1.25,
            capacity_rto_s=120,
            source={"rto_s": "experiment", "rpo_requests": "class"},
        ),
        load=_load(s),
        timers=Timers(
            baseline_s=BASELINE_S, hold_s=10, confirm_s=10, deadline_s=s.observed_s, heal_s=60, deadline_parts={"node monitor grace": 40.0}
        ),
        expect=s.expect or Expect(),
        targets=()
        if s.fault == "none"
        else (ResolvedTarget(kind=kind, name=name, namespace="ml-serving", node=NODES[0], effect=s.effect, ends="reaper Job, 120 s"),),
        replicas_desired={"inference": 3},
        evidence=() if s.fault == "none" else ("replica-gone",),
        hypothesis_probes=("error-ratio", "latency-p95", "ready-replicas"),
        forecast=s.forecast,
        versions={"aftershock": "0.1.0", "commit": "932b705c1f0a", "kubernetes": "v1.36.0", "torch": "2.13.0"},
        command=f"pytest -m chaos -k {s.id} --chaos-seed 7",
    )


def _load(s: Scenario) -> Load:
    mix = (Mix(weight=0.7, max_tokens=(4, 16)), Mix(weight=0.3, stream=True, max_tokens=(4, 32)))
    horizon_s = BASELINE_S + s.observed_s
    return Load(
        url="http://127.0.0.1:8080",
        model="tiny",
        rate_rps=s.rate_rps,
        mix=mix,
        prompts="prompts.jsonl",
        in_flight_cap=400,
        timeout_s=4,
        horizon_s=horizon_s,
        seed=7,
    )


def traffic(s: Scenario, seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return (schedule, requests): Poisson arrivals, log-normal latencies, bad ones where ``s.impacts`` says so."""
    rng = np.random.default_rng(seed)
    horizon_s = BASELINE_S + s.observed_s
    count = int(s.rate_rps * horizon_s)
    offset_s = np.sort(rng.uniform(0, horizon_s, count))
    stream = rng.random(count) < 0.3
    latency_s = np.minimum(rng.lognormal(np.log(0.045), 0.35, count), 0.4) + s.send_lag_ms / 1e3
    impact = np.full(count, -1)
    for index, hit in enumerate(s.impacts):
        end_s = np.inf if hit.end_s is None else hit.end_s
        inside = (offset_s - BASELINE_S >= hit.start_s) & (offset_s - BASELINE_S < end_s)
        impact[inside & (rng.random(count) < hit.bad_share)] = index
    return _schedule(offset_s, stream), _requests(s, offset_s, stream, latency_s, impact)


def _schedule(offset_s: np.ndarray[Any, Any], stream: np.ndarray[Any, Any]) -> pl.DataFrame:
    count = len(offset_s)
    columns = {"request_id": np.arange(count), "offset_ns": (offset_s * 1e9).astype(np.int64), "stream": stream}
    rest = {"prompt_id": np.arange(count) % 50, "max_tokens": np.full(count, 8), "worker": np.zeros(count, np.int16)}
    return pl.DataFrame({**columns, **rest}).cast(SCHEDULE)  # type: ignore[arg-type]  # polars' own types


def _requests(
    s: Scenario, offset_s: np.ndarray[Any, Any], stream: np.ndarray[Any, Any], latency_s: np.ndarray[Any, Any], impact: np.ndarray[Any, Any]
) -> pl.DataFrame:
    kinds = np.array([*(hit.kind for hit in s.impacts), "none"])[impact]  # -1: the last one
    failed = np.isin(kinds, ["refused", "hang", "503"])
    latency_s = np.select(
        [kinds == "refused", kinds == "hang", kinds == "503", kinds == "slow"],
        [0.012 + s.send_lag_ms / 1e3, 4.0, 0.014, latency_s + 1.4],
        latency_s,
    )
    intended = BASE_NS + (offset_s * 1e9).astype(np.int64)
    done = intended + (latency_s * 1e9).astype(np.int64)
    errors = pl.Series(kinds).replace_strict(ERRORS, default=None, return_dtype=pl.String())
    frame = pl.DataFrame(
        {
            "request_id": np.arange(len(offset_s)),
            "intended_ns": intended,
            "sent_ns": intended + int(s.send_lag_ms * 1e6),
            "done_ns": done,
            "failed": failed,
            "stream": stream,
        }
    )
    first_byte = (pl.col("sent_ns") + (pl.col("done_ns") - pl.col("sent_ns")) // 3).alias("first_byte_ns")
    ok = ~pl.col("failed")
    return frame.select(
        pl.col("request_id"),
        pl.lit(0, pl.Int16()).alias("attempt"),
        pl.col("intended_ns", "sent_ns"),
        pl.when(ok).then(first_byte).alias("first_byte_ns"),
        pl.col("done_ns"),
        pl.when(ok).then(pl.lit("ok")).otherwise(pl.lit("fail")).cast(REQUESTS["outcome"]).alias("outcome"),
        pl.when(ok).then(pl.lit(True)).alias("valid"),
        ok.alias("complete"),
        pl.when(pl.col("stream") & ok).then(pl.lit(12.0)).alias("max_gap_ms"),
        pl.when(ok).then(pl.lit(200, pl.Int16())).when(pl.Series(kinds == "503")).then(pl.lit(503, pl.Int16())).alias("status"),
        errors.replace("", None).alias("error"),
        pl.lit("http://127.0.0.1:8080").alias("endpoint"),
        pl.Series("pod", np.array(REPLICAS)[np.arange(len(offset_s)) % 3]),
        pl.lit(8, pl.Int32()).alias("tokens"),
        pl.lit("w0").alias("worker"),
    ).sort("done_ns")


def ns(t_s: float) -> int:
    """Return ns UTC of ``t_s`` seconds after the fault."""
    return BASE_NS + int((t_s + BASELINE_S) * 1e9)


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
    rows: list[dict[str, Any]] = []
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


def _sample(t_s: float, series: Series, labels: dict[str, str], value: float) -> dict[str, Any]:
    return {"t_ns": ns(t_s), "series": series.value, "labels": json.dumps(labels), "value": float(value)}
