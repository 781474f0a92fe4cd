"""What a run did, from its ledger alone: ``python -m workloads.training.audit LEDGER``.

Judges nothing that needs a budget; exit code 1 if samples were skipped or repeated, two attempts wrote at the same time, or a replayed step
came out differently.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from workloads.training.data import Order
from workloads.training.telemetry import ledger

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One start of the run. ``lost_steps``: done before it and not in the checkpoint it resumed from."""

    attempt: int
    world: int
    resumed_step: int
    lost_steps: int
    depth: int
    rejected: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Audit:
    """What a ledger shows. A step counts as its newest attempt did it; ``steps`` are counted without a gap from the first."""

    steps: int
    attempts: tuple[Attempt, ...]
    samples_skipped: int
    samples_repeated: int
    quarantined: int
    overlaps: tuple[str, ...]  # two writers: rows of an attempt after a newer one had begun, or of one rank by two processes
    differing: tuple[str, ...]  # steps whose loss differed between ranks, or between attempts with as many ranks
    divergences: tuple[str, ...]
    final_digest: str | None
    reason: str | None

    @property
    def flawless(self) -> bool:
        """Whether every sample was seen exactly once in its epoch, by one writer, with the same result on every replay."""
        return not (self.samples_skipped or self.samples_repeated or self.overlaps or self.differing)


def audit(rows: Iterable[Row]) -> Audit:
    """Look through the rows of one run; raises ValueError if no attempt ever started."""
    rows = list(rows)
    unique = list({(r["attempt"], r["rank"], r["kind"], r["step"]): r for r in rows}.values())
    starts = sorted((r for r in unique if r["kind"] == "start"), key=lambda r: r["attempt"])
    if not starts:
        raise ValueError("the ledger holds no start of an attempt: nothing ran, or it is not a ledger")
    steps = [r for r in unique if r["kind"] == "step"]
    final = _final(steps, starts)
    skipped, repeated = _samples(final, starts[0])
    states = sorted((r for r in unique if r["kind"] == "state"), key=lambda r: (r["step"], r["attempt"]))
    ends = [r for r in unique if r["kind"] == "end" and r["rank"] == 0]
    return Audit(
        steps=len(final),
        attempts=tuple(_attempt(start, steps) for start in starts),
        samples_skipped=skipped,
        samples_repeated=repeated,
        quarantined=sum(step[0]["outcome"] == "quarantined" for step in final),
        overlaps=_overlaps(steps) + _twins(rows),
        differing=_differing(steps, starts),
        divergences=tuple(r["sentence"] for r in unique if r["kind"] == "divergence"),
        final_digest=states[-1]["digest"] if states else None,
        reason=max(ends, key=lambda r: r["attempt"])["why"] if ends else None,
    )


def _final(steps: Sequence[Row], starts: Sequence[Row]) -> list[list[Row]]:
    """Return, per step from 1 without a gap, the rows of all ranks in the newest attempt in which every rank did it."""
    world = {start["attempt"]: start["world"] for start in starts}
    done: dict[int, dict[int, list[Row]]] = {}
    for row in steps:
        done.setdefault(row["step"], {}).setdefault(row["attempt"], []).append(row)
    final = []
    for step in range(1, max(done, default=0) + 1):
        whole = [attempt for attempt, rows in done.get(step, {}).items() if len(rows) == world.get(attempt)]
        if not whole:
            break
        final.append(done[step][max(whole)])
    return final


def _samples(final: Sequence[Sequence[Row]], start: Row) -> tuple[int, int]:
    seen = Counter(sample for step in final for row in step for sample in row["samples"])
    expected = Counter(Order(start["data_samples"], start["seed"]).window(0, len(final) * start["batch"]))
    return (expected - seen).total(), (seen - expected).total()


def _attempt(start: Row, steps: Sequence[Row]) -> Attempt:
    before = max((r["step"] for r in steps if r["attempt"] < start["attempt"]), default=0)
    lost = max(0, before - start["step"])
    return Attempt(start["attempt"], start["world"], start["step"], lost, start["depth"], tuple(start["rejected"]))


def _overlaps(steps: Sequence[Row]) -> tuple[str, ...]:
    begun: dict[int, int] = {}
    for row in steps:
        begun[row["attempt"]] = min(row["t_ns"], begun.get(row["attempt"], row["t_ns"]))
    late = {(row["attempt"], newer): row for row in steps for newer, t_ns in begun.items() if newer > row["attempt"] and row["t_ns"] > t_ns}
    return tuple(
        f"attempt {old} did step {row['step']} on {row['host']} after attempt {new} had begun" for (old, new), row in sorted(late.items())
    )


def _twins(rows: Sequence[Row]) -> tuple[str, ...]:
    processes: dict[tuple[int, int], set[tuple[str, int]]] = {}
    for row in rows:
        if row["kind"] == "step":
            processes.setdefault((row["attempt"], row["rank"]), set()).add((row["host"], row["pid"]))
    return tuple(
        f"attempt {attempt}, rank {rank}: {len(found)} processes on {', '.join(sorted(host for host, _ in found))}"
        for (attempt, rank), found in sorted(processes.items())
        if len(found) > 1
    )


def _differing(steps: Sequence[Row], starts: Sequence[Row]) -> tuple[str, ...]:
    world = {start["attempt"]: start["world"] for start in starts}
    results: dict[tuple[int, int | None], set[str]] = {}
    for row in steps:
        results.setdefault((row["step"], world.get(row["attempt"])), set()).add(row["loss_digest"])
    changes = len(set(world.values())) > 1  # from another number of ranks on, sums are rounded differently
    return (
        () if changes else tuple(f"step {step} has {len(found)} results" for (step, _), found in sorted(results.items()) if len(found) > 1)
    )


def main(argv: list[str] | None = None) -> int:
    """Print the audit as JSON."""
    parser = argparse.ArgumentParser(prog="python -m workloads.training.audit", description=__doc__)
    parser.add_argument("ledger", type=Path)
    found = audit(ledger.read(parser.parse_args(argv).ledger.read_text()))
    print(json.dumps(asdict(found), indent=1))
    return 0 if found.flawless else 1


if __name__ == "__main__":
    sys.exit(main())
