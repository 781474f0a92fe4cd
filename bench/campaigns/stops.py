"""``python -m bench.campaigns.stops``: how long it takes from a stop condition to the healed fault, for each kind of condition.

A session each on a cluster with the reference platform (``make deploy``): once the fault acts, a bystander fails, somebody annotates the
namespace, or the fault itself lifts a PromQL expression; the history says when healing began and when the fault had been undone.
"""

from __future__ import annotations

import sys
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from bench.common import pages
from bench.common.tables import ROOT, add_rows, rows_of
from history.errors import NoData
from history.schema import EventKind
from kube.client import Platform, connect
from probes.prometheus.values import query
from runner.preflight.platform_health import complaints, look
from runner.run.abort.conditions import ANNOTATION
from target.target import load_target
from testing.platform.bystander import bystander
from testing.runs.patient import patient
from testing.runs.real_sessions import LOCAL, Session, Suite
from testing.waiting import wait_for

TABLE = ROOT / "reports" / "out" / "stops.jsonl"
WITHIN_S = 5.0
DOWN = 'count(up{namespace="ml-serving"} == 0) or vector(0)'
POLL_S = 0.05
Play = Callable[[Suite, Platform], tuple[Session, float]]


@dataclass(frozen=True, slots=True)
class Stopped:
    """One session; seconds since the condition came about."""

    kind: str
    verdict: str
    said: str
    healing_s: float
    undone_s: float


def start(suite: Suite, experiment: str, **target: object) -> Session:
    """Start a brief session."""
    patient(suite, f"serving/{experiment}")
    return suite.start("--chaos-profile=brief", own=True, target=suite.target(**target))


def by_bystander(suite: Suite, _platform: Platform) -> tuple[Session, float]:
    """Let a bystander fail while a node is drained."""
    with bystander() as service:
        condition = {"bystander": service.url, "above": 0.3, "window_s": 4}
        session = start(suite, "node-drained", stop_when=[condition]).until(EventKind.FAULT_CONFIRMED)
        service.status, asked_s = 503, time.time()
        session.end()
    return session, asked_s


@contextmanager
def annotated(platform: Platform, namespace: str) -> Iterator[float]:
    """Ask to stop by an annotation; return when it stood there."""

    def annotate(value: str | None) -> None:
        platform.core.patch_namespace(namespace, {"metadata": {"annotations": {ANNOTATION: value}}})

    annotate("true")
    try:
        yield time.time()
    finally:
        annotate(None)


def by_annotation(suite: Suite, platform: Platform) -> tuple[Session, float]:
    """Let somebody annotate the namespace while a node is drained."""
    session = start(suite, "node-drained").until(EventKind.FAULT_CONFIRMED)
    with annotated(platform, platform.target.role("inference").namespace) as asked_s:
        session.end()
    return session, asked_s


def lifted(platform: Platform) -> bool:
    """Tell whether the expression is above its value; a Prometheus that is slow to answer is asked again."""
    try:
        return bool(query(platform.region, DOWN))
    except NoData:
        return False


def by_expression(suite: Suite, platform: Platform) -> tuple[Session, float]:
    """Let a replica that is cut off lift a PromQL expression: it is not scraped any more."""
    session = start(suite, "replica-partitioned", stop_when=[{"promql": DOWN, "above": 0}])
    while not lifted(platform) and session.process.poll() is None:
        time.sleep(POLL_S)
    asked_s = time.time()
    session.end()
    return session, asked_s


KINDS: dict[str, Play] = {"bystander": by_bystander, "annotation": by_annotation, "PromQL": by_expression}


def play(kind: str, platform: Platform, target_file: Path) -> Stopped:
    """Carry out one session; return its row."""
    wait_for(lambda: not complaints(platform, look(platform)), "the platform is healthy")
    with tempfile.TemporaryDirectory() as folder:
        suite = Suite(Path(folder), target_file)
        try:
            session, asked_s = KINDS[kind](suite, platform)
        finally:
            suite.close()
        [healing_ns], [undone_ns] = session.events(EventKind.HEAL_START), session.events(EventKind.FAULT_END)
        verdict = session.verdict
        return Stopped(kind, verdict.verdict.value, verdict.sentence, healing_ns / 1e9 - asked_s, undone_ns / 1e9 - asked_s)


def stored() -> list[Stopped]:
    """Return every row so far."""
    return [Stopped(**{field.name: row[field.name] for field in fields(Stopped)}) for row in rows_of(TABLE)]


def main() -> int:
    """Play until each kind has its sessions, print; exit 1 if one was not INCONCLUSIVE, or undone too late."""
    parser = ArgumentParser(prog="python -m bench.campaigns.stops", description=(__doc__ or "").splitlines()[0])
    pages.add_time_limit(parser)
    parser.add_argument("--target", type=Path, default=LOCAL, metavar="FILE", help="whose cluster (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=5, help="of each kind")
    options = parser.parse_args()
    platform, until_s = connect(load_target(options.target)), time.monotonic() + options.for_s
    for number in range(options.runs):
        for kind in KINDS:
            if sum(row.kind == kind for row in stored()) <= number and time.monotonic() < until_s:
                add_rows(TABLE, [asdict(play(kind, platform, options.target))])
    rows = stored()
    show(rows)
    return int(not rows or any(row.verdict != "INCONCLUSIVE" or row.undone_s > WITHIN_S for row in rows))


def show(rows: list[Stopped]) -> None:
    """Print the figures of each kind."""
    table = Table("stop condition", "sessions", "INCONCLUSIVE", "healing began, median (worst)", "undone, median (worst)", "bound")
    for kind in KINDS:
        chosen = [row for row in rows if row.kind == kind]
        if chosen:
            measured = [row.healing_s for row in chosen], [row.undone_s for row in chosen]
            times = [f"{median(times_s):.1f} s ({max(times_s):.1f} s)" for times_s in measured]
            inconclusive = sum(row.verdict == "INCONCLUSIVE" for row in chosen)
            table.add_row(kind, str(len(chosen)), str(inconclusive), *times, f"{WITHIN_S:g} s")
    Console(width=130).print(table)


if __name__ == "__main__":
    sys.exit(main())
