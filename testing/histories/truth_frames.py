"""The frames of a synthetic run: what its processes would have recorded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import polars as pl

from history.plan import Plan, write_plan
from history.reader import Run
from history.schema import EVENTS, REQUESTS, SAMPLES, SCHEDULE, TABLES, EventKind, Series, in_columns
from testing.histories.truth_plan import NODES, PROBES, REPLICAS

if TYPE_CHECKING:
    from testing.histories.truth import Traffic, World

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

FAULT_NS = 1_790_000_000_000_000_000
SECOND_NS = 1_000_000_000
LAG_NS = 300_000
ERRORS = {"fail": "HTTP 503: no server is available", "unknown": "Timeout: no answer within 1 s"}
Step = tuple[float, EventKind, str, Mapping[str, object]]


def run_of(world: World, plan: Plan, traffic: Traffic) -> Run:
    """Return the closed run that records ``traffic``."""
    return Run(
        path=Path("synthetic"),
        plan=plan,
        requests=requests(world, traffic),
        events=events(world, traffic),
        samples=samples(world, traffic),
        schedule=schedule(world, traffic),
    )


def write(run: Run, path: Path, lines: bool = False) -> Path:
    """Write ``run`` as a folder: closed (Parquet), or as it is while it goes on (JSON lines, one file a worker)."""
    path.mkdir(parents=True, exist_ok=True)
    write_plan(run.plan, path)
    for name in TABLES:
        frame: pl.DataFrame = getattr(run, name)
        if not lines:
            frame.write_parquet(path / f"{name}.parquet")
            continue
        parts = frame.partition_by("worker", as_dict=True) if name == "requests" else {("main",): frame}
        for (writer,), part in parts.items():
            part.write_ndjson(path / f"{name}.{writer}.jsonl")
    return path


def ns(world: World, at_s: float | Floats, load: bool = False) -> Ints:
    """Return ns UTC of seconds after the fault, by the clock of the runner or of the ``load``."""
    return FAULT_NS + np.rint(np.asarray(at_s) * 1e9).astype(np.int64) + (round(world.clock_offset_s * 1e9) if load else 0)


def schedule(world: World, traffic: Traffic) -> pl.DataFrame:
    """Return what was promised to users."""
    count = len(traffic.at_s)
    offset_ns = ns(world, traffic.at_s) - ns(world, -world.baseline_s)
    columns = {"request_id": np.arange(count), "offset_ns": offset_ns, "stream": traffic.stream, "prompt_id": np.arange(count) % 50}
    frame = pl.DataFrame({**columns, "max_tokens": np.full(count, 8), "worker": np.arange(count) % world.workers})
    return in_columns(frame, SCHEDULE)


def requests(world: World, traffic: Traffic) -> pl.DataFrame:
    """Return a row for every request, in the order in which each worker saw them end."""
    count = len(traffic.at_s)
    intended, latency_ns = ns(world, traffic.at_s, load=True), np.rint(traffic.latency_s * 1e9).astype(np.int64)
    lag_ns = np.minimum(LAG_NS, latency_ns // 3)
    ok = traffic.outcome == "ok"
    first_ns = intended + np.where(traffic.stream, latency_ns, np.maximum(lag_ns, latency_ns // 2))
    done_ns = intended + latency_ns + np.where(traffic.stream & ok, 20_000_000, 0)
    frame = pl.DataFrame(
        {"request_id": np.arange(count), "attempt": np.zeros(count), "intended_ns": intended, "sent_ns": intended + lag_ns}
    )
    good, outcome = pl.Series(ok), pl.Series(traffic.outcome)
    rows = frame.with_columns(
        pl.when(good).then(pl.Series(first_ns)).alias("first_byte_ns"),
        pl.Series("done_ns", done_ns),
        outcome.alias("outcome"),
        pl.when(good).then(pl.lit(value=True)).alias("valid"),
        pl.when(outcome != "unknown").then(pl.lit(value=True)).alias("complete"),
        pl.when(good & pl.Series(traffic.stream)).then(pl.lit(12.0)).alias("max_gap_ms"),
        pl.when(good).then(pl.lit(200)).when(outcome == "fail").then(pl.lit(503)).alias("status"),
        outcome.replace_strict(ERRORS, default=None, return_dtype=pl.String()).alias("error"),
        pl.lit("127.0.0.1:8080").alias("endpoint"),
        pl.Series("pod", np.array(REPLICAS)[np.arange(count) % 3]),
        pl.when(good).then(pl.lit(8)).alias("tokens"),
        pl.Series("worker", np.char.add("w", (np.arange(count) % world.workers).astype(str))),
    )
    return in_columns(rows.sort("done_ns", maintain_order=True), REQUESTS)


def events(world: World, traffic: Traffic) -> pl.DataFrame:
    """Return what runner, load and observer recorded."""
    steps = [*_phases(world), *_fault(world), *_platform(world), *_hypothesis(world, traffic)]
    rows = [_event(world, step) for step in steps] + [_event(world, step, load=True) for step in _load(world, traffic)]
    return pl.DataFrame(rows, schema=EVENTS).sort("t_ns", maintain_order=True)


def _event(world: World, step: Step, load: bool = False) -> dict[str, object]:
    at_s, kind, name, detail = step
    return {"t_ns": int(ns(world, at_s, load)), "kind": kind.value, "object": name, "detail": json.dumps(detail)}


def _load(world: World, traffic: Traffic) -> list[Step]:
    stop_s, share = world.heal_s + 2.0, 1 / world.workers
    steps: list[Step] = []
    for number in range(world.workers):
        name, rows = f"w{number}", len(traffic.at_s[number :: world.workers])
        anchor = {"wall_ns": FAULT_NS + round(world.clock_offset_s * 1e9) + 40_000, "monotonic_ns": SECOND_NS}
        account = {"sent": rows, "recorded": rows, "cap_hit": 0, "cpu_share_max": 0.3 * share + 0.1}
        steps += [
            (-world.baseline_s - 1, EventKind.CLOCK, name, anchor),
            (-world.baseline_s, EventKind.LOAD_START, name, {}),
            (stop_s, EventKind.LOAD_STOP, name, {}),
            (stop_s, EventKind.LOAD_AUDIT, name, account),
        ]
    return steps


def _phases(world: World) -> list[Step]:
    start = -world.baseline_s
    times = {"preflight": start - 2, "baseline": start, "write-ahead": -0.3, "inject": -0.1, "confirm": 0.01, "observe": 0.6}
    times["scene"] = world.heal_s - 0.05
    if world.fault == "none":
        times |= {"inject": -0.02, "confirm": -0.01, "observe": 0.0}
    times |= {"heal": world.heal_s, "settle": world.heal_s + 2.1, "judge": world.heal_s + 2.2}
    steps: list[Step] = [(at_s, EventKind.PHASE, name, {}) for name, at_s in times.items()]
    steps.append((start - 2, EventKind.CLOCK, "runner", {"wall_ns": FAULT_NS, "monotonic_ns": SECOND_NS}))
    steps.append((world.heal_s, EventKind.HEAL_START, "", {}))
    return [*steps, (world.heal_s + 1, EventKind.HEAL_END, "", {"clean": True, "remains": []})]


def _fault(world: World) -> list[Step]:
    if world.fault == "none":
        return []
    starts = [0.0] + ([] if world.second_fault_s is None else [world.second_fault_s])
    steps: list[Step] = [(at_s, EventKind.FAULT_START, "kill-replica", {"targets": [f"Pod/{REPLICAS[0]}"]}) for at_s in starts]
    steps += [(at_s + 0.5, EventKind.FAULT_CONFIRMED, "replica-gone", {"observed": "uid 5f0c gone"}) for at_s in starts]
    return [*steps, (starts[-1] + 0.1, EventKind.FAULT_END, "kill-replica", {"how": "at once"})]


def _platform(world: World) -> list[Step]:
    before = -world.baseline_s - 1
    homes = zip(REPLICAS, NODES, strict=True)
    steps: list[Step] = [(before, EventKind.POD_READY, pod, {"node": node, "role": "inference"}) for pod, node in homes]
    if not world.replaced or world.fault != "fault":
        return steps
    old, new = REPLICAS[0], "inference-new01"
    return [
        *steps,
        (0.40, EventKind.ENDPOINT_OUT, old, {}),
        (0.41, EventKind.POD_UNREADY, old, {}),
        (0.60, EventKind.POD_GONE, old, {}),
        (0.70, EventKind.POD_CREATED, new, {}),
        (0.80, EventKind.POD_SCHEDULED, new, {"node": NODES[0]}),
        (1.80, EventKind.POD_STARTED, new, {"container": "engine", "restarts": 0}),
        (7.00, EventKind.POD_READY, new, {"node": NODES[0], "role": "inference"}),
    ]


def _hypothesis(world: World, traffic: Traffic) -> list[Step]:
    """Ask both probes once a second, from the baseline to healing."""
    steps: list[Step] = []
    for number, at_s in enumerate(np.arange(-world.baseline_s + 0.5, world.heal_s, 1.0)):
        out = any(hit.start_s <= at_s < hit.end_s for hit in world.hits)
        lost = world.replaced and world.fault == "fault" and 0.41 <= at_s < 7.0
        p95: dict[str, object] = {"met": not out, "value": 80.0 + 0.37 * (number % 11) + (500 if out else 0), "no_data": False}
        ready: dict[str, object] = {"met": not lost, "value": 2 if lost else 3, "no_data": False}
        phase = "baseline" if at_s < 0 else "observe"
        steps += [
            (float(at_s), EventKind.HYPOTHESIS, name, said | {"phase": phase}) for name, said in zip(PROBES, (p95, ready), strict=True)
        ]
    return steps


def samples(world: World, traffic: Traffic) -> pl.DataFrame:
    """Return health, queue, replica and generator samples, one a second."""
    rows: list[dict[str, object]] = []
    for number, at_s in enumerate(np.arange(-world.baseline_s, world.heal_s + 1, 1.0)):
        lost = world.replaced and world.fault == "fault" and 0.41 <= at_s < 7.0
        queued = sum(hit.share for hit in world.hits if hit.start_s <= at_s < hit.end_s) * 20
        t_ns = int(ns(world, at_s))
        rows += [_sample(t_ns, Series.HEALTH, {"pod": pod}, 0.0 if lost and pod == REPLICAS[0] else 1.0) for pod in REPLICAS]
        rows.append(_sample(t_ns, Series.READY_REPLICAS, {"role": "inference"}, 2.0 if lost else 3.0))
        rows.append(_sample(t_ns, Series.QUEUE_DEPTH, {}, float(number % 3) + queued))
        rows.append(_sample(t_ns, Series.LOAD_CPU, {"worker": "w0"}, 0.2 + 0.01 * (number % 5)))
    return pl.DataFrame(rows, schema=SAMPLES)


def _sample(t_ns: int, series: Series, labels: dict[str, str], value: float) -> dict[str, object]:
    return {"t_ns": t_ns, "series": series.value, "labels": json.dumps(labels), "value": value}
