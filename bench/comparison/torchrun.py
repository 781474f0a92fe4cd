"""``python -m bench.comparison.torchrun``: whether torchrun brings a killed rank back, its own way and the hardened job's. Resumable.

Every trial is a job of its own, made of the platform's template with two ranks: a pod and a node each, or both in one pod. When a
checkpoint is verified, rank 1's process gets SIGKILL. The recovery counts if both ranks do a step beyond all that were done before. It is
lost when torchrun gives up (its container ends), or when that has not happened in time. ``torchrun's way`` is what its documentation
shows (``--max-restarts=3``, its rendezvous store shared with the ranks); by default ``--max-restarts`` is 0, with which every one is lost.

Variants alternate, so that both meet the same machine. Rows are appended to ``reports/out/torchrun/trials.jsonl``, one a trial; a next
call goes on. The jobs are the bench's own, and are deleted; what a killed bench leaves the next one deletes, or it ends after half an hour.
"""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from bench.common import pages
from bench.common.tables import ROOT, Row, add_rows, commit, rows_of
from bench.comparison.torchrun_page import HARD, RECOVERY_S, VARIANTS, markdown
from history.clock import now_ns
from history.errors import AftershockError, NoData
from kube import proxy
from kube.client import Platform, connect
from kube.container_exec import output_of, processes
from kube.objects import Pod
from kube.selection import INDEX
from kube.wait import until
from runner.drivers.training import job as jobs
from runner.drivers.training.left_behind import orphans
from runner.drivers.training.template import Template, read_template
from target.target import load_target
from target.training import TrainingClass
from workloads.training.telemetry.ledger import read

TABLE = ROOT / "reports" / "out" / "torchrun" / "trials.jsonl"
CLASS, RUN, PREFIX = "batch-training", "bench-torchrun", "torchrun-"
VICTIM, RANKS = 1, 2
START_S, POLL_S = 240.0, 0.5
COMMON = {"TRAIN_STEP_PAUSE_S": "0.2", "TRAIN_BATCH": "24"}
KILL = """for pid in {pids}; do
  tr '\\0' '\\n' < /proc/$pid/environ | grep -qx RANK={rank} && kill -KILL $pid && echo $pid
done; true"""


class Unusable(AftershockError):
    """A trial that never came to its kill: it says nothing of recovery, and is made again."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One job, one kill."""

    platform: Platform
    template: Template
    ledger: str
    engine: str
    variant: str
    number: int

    @property
    def job(self) -> str:
        """The job's name."""
        return f"{PREFIX}{list(VARIANTS).index(self.variant)}-{self.number}-{time.strftime('%H%M%S')}"

    @property
    def pods(self) -> int:
        """How many pods the two ranks have."""
        return int(VARIANTS[self.variant]["TRAIN_NODES"])

    def play(self) -> Row:
        """Make the job, kill, watch, delete it. Raises AftershockError: it never came to the kill."""
        name = self.job
        made = jobs.manifest(self.template, name, RUN, {**COMMON, **VARIANTS[self.variant]})
        made["spec"] |= {"completions": self.pods, "parallelism": self.pods}
        jobs.create(self.platform, self.template, made)
        try:
            return self._watched(name)
        finally:
            jobs.delete(self.platform, self.template.kind, self.template.namespace, name)
            jobs.delete_pods_now(self.platform, self._pods(name))

    def _watched(self, name: str) -> Row:
        if not until(lambda: trained(self._rows(name)), START_S, POLL_S):
            raise Unusable(f"job {name}: no verified checkpoint within {START_S:g} s")
        killed_ns = self._kill(name)
        until(lambda: beyond_ns(self._rows(name)) is not None or self._given_up(name), RECOVERY_S, POLL_S)
        rows, given_up = self._rows(name), self._given_up(name)
        beyond = None if given_up else beyond_ns(rows)
        return {
            "variant": self.variant,
            "trial": self.number,
            "commit": commit(),
            "rto_s": None if beyond is None else round((beyond - killed_ns) / 1e9, 2),
            "attempts": len({row["attempt"] for row in rows if row["kind"] == "start"}),
            "gave_up": given_up,
        }

    def _kill(self, name: str) -> int:
        """Kill the victim's process; return when (ns UTC). Raises NoData, Unusable: there is not exactly one."""
        pod = next(pod for pod in self._pods(name) if (pod.metadata.labels or {}).get(INDEX) == str(self.pods - 1))
        place = (self.platform, pod.metadata.name, self.template.namespace, self.template.container)
        pids = " ".join(str(process.pid) for process in processes(*place) if self.engine in process.command)
        at_ns = now_ns()
        killed = output_of(*place, ["sh", "-c", KILL.format(pids=pids, rank=VICTIM)]).split()
        if len(killed) != 1:
            raise Unusable(f"pod {pod.metadata.name}: {len(killed)} processes are rank {VICTIM}, expected 1")
        return at_ns

    def _rows(self, name: str) -> list[Row]:
        try:
            text = proxy.get(self.platform, self.template.namespace, self.ledger, f"runs/{name}") or b""
        except NoData:  # a busy machine: asked again
            return []
        return read(text.decode())

    def _given_up(self, name: str) -> bool:
        """Tell whether torchrun ended in some pod: its container ended, or was started again."""
        return any(ended(pod) for pod in self._pods(name))

    def _pods(self, name: str) -> list[Pod]:
        return jobs.pods_of(self.platform, self.template, name)


def ended(pod: Pod) -> bool:
    """Tell whether a container of the pod has ended since the pod began."""
    return any(
        container.restart_count or (container.state and container.state.terminated) for container in pod.status.container_statuses or []
    )


def trained(rows: Iterable[Row]) -> bool:
    """Tell whether some store holds a verified checkpoint of the job."""
    return any(store["verified"] for row in rows if row["kind"] == "checkpoint" for store in row["stores"])


def beyond_ns(rows: Iterable[Row]) -> int | None:
    """Return when (ns UTC) all ranks of a later attempt had first done a step beyond all of the first attempt; None: not yet."""
    times: dict[tuple[int, int], list[int]] = defaultdict(list)
    for row in rows:
        if row["kind"] == "step":
            times[row["attempt"], row["step"]].append(row["t_ns"])
    done = {key: max(of_ranks) for key, of_ranks in times.items() if len(of_ranks) == RANKS}
    high = max((step for attempt, step in done if attempt == 1), default=0)
    return min((t_ns for (attempt, step), t_ns in done.items() if attempt > 1 and step > high), default=None)


def missing(rows: list[Row], trials: int) -> list[tuple[str, int]]:
    """Return (variant, number) of the trials that are to be made, variants alternating."""
    there = {(row["variant"], row["trial"]) for row in rows}
    return [(variant, number) for number in range(1, trials + 1) for variant in VARIANTS if (variant, number) not in there]


def campaign(target: Path, wanted: list[tuple[str, int]], at_once: int, until_s: float) -> None:
    """Carry out the wanted trials, ``at_once`` together, and begin none after ``until_s`` (monotonic)."""
    platform = connect(load_target(target))
    workload = platform.target.workload(CLASS, TrainingClass)
    role, written = platform.target.role(workload.role), workload.job
    template = read_template(platform, role.namespace, written, role.container, {})
    trials = [Trial(platform, template, written.ledger, role.engine or "", *trial) for trial in wanted]
    for left in orphans(platform, template.kind, role.namespace, frozenset()):  # of a bench that was killed
        if left.startswith(PREFIX):
            jobs.delete(platform, template.kind, role.namespace, left)
    with ThreadPoolExecutor(at_once) as pool:
        for done in as_completed([pool.submit(attempt, until_s, trial) for trial in trials]):
            if row := done.result():
                add_rows(TABLE, [row])


def attempt(until_s: float, trial: Trial) -> Row | None:
    """Carry out one trial, if there is time left; one that cannot be used is said and left out."""
    if time.monotonic() > until_s:
        return None
    try:
        row = trial.play()
    except AftershockError as error:
        print(f"torchrun: {trial.variant} {trial.number}: {error}", file=sys.stderr, flush=True)
        return None
    print(f"torchrun: {row}", file=sys.stderr, flush=True)
    return row


def main(argv: list[str] | None = None) -> int:
    """Run what is missing and print the page; exit code 1 if trials are still missing or the hardened job lost a recovery."""
    parser = pages.parser_of("bench.comparison.torchrun", __doc__)
    pages.add_time_limit(parser, 3600.0)
    parser.add_argument("--target", type=Path, default=ROOT / "targets" / "local.yaml", metavar="FILE")
    parser.add_argument("--trials", type=int, default=20, help="of each variant, in all (default: %(default)s)")
    parser.add_argument("--at-once", type=int, default=2, help="jobs at a time (default: %(default)s)")
    options = parser.parse_args(argv)
    if wanted := missing(rows_of(TABLE), options.trials):
        campaign(options.target, wanted, options.at_once, time.monotonic() + options.for_s)
    rows = rows_of(TABLE)
    pages.publish(markdown(rows), options.write)
    lost = any(row["rto_s"] is None for row in rows if row["variant"] in HARD)
    return int(lost or bool(missing(rows, options.trials)))


if __name__ == "__main__":
    sys.exit(main())
