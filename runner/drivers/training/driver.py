"""A training job as what drives a run: made for the run, followed by its ledger, ended with the run.

What it should have come to stands in its reference: the same job without pauses and faults, all ranks in one pod. The reference is run
once for a configuration and kept by the ledger's server.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from history.errors import AftershockError, NoData, TargetRefused
from history.ledgers import LedgerWriter, training_rows
from history.workloads import Training, TrainingJob
from kube import permissions, proxy
from kube.client import Platform, api_errors, ready
from kube.permissions import Permission
from kube.platform_timers import PlatformTimers, template_timers
from kube.wait import until
from runner.drivers.driver import DrivenRun
from runner.drivers.requests.load import LoadFailed
from runner.drivers.training import job as jobs
from runner.drivers.training.progress import TrainingProgress
from runner.stop import Stop
from safety.leases import alive_runs
from workloads.training.telemetry.ledger import DONE

PODS_S, FIRST_STEP_S, REFERENCE_S, END_S = 180.0, 180.0, 300.0, 20.0
POLL_S = 0.5
DIGEST_EVERY = 5
"""Steps between the reference's digests: jobs whose interval and digests are multiples of it can be compared at each."""
DECIDING = ("TRAIN_STEPS", "TRAIN_BATCH", "TRAIN_SEED", "TRAIN_WIDTH", "TRAIN_DATA")
CODE = ("data", "group", "guard", "model", "checkpoint/state", "trainer")
WORKLOAD = Path(__file__).parents[3] / "workloads" / "training"


def training_permissions(namespace: str) -> list[Permission]:
    """Return what a training driver in ``namespace`` needs: making and following its job."""
    return [*jobs.job_permissions(namespace), *proxy.permissions(namespace)]


@dataclass(frozen=True, slots=True)
class TrainingDriver:
    """One training job."""

    platform: Platform
    role: str
    written: TrainingJob
    template: jobs.Template
    settings: Mapping[str, str]
    run_id: str
    stop: Stop

    @classmethod
    def of(
        cls, platform: Platform, role: str, written: TrainingJob, *, settings: Mapping[str, str], run_id: str, stop: Stop
    ) -> TrainingDriver:
        """Read the template. Raises TargetRefused."""
        found = platform.target.role(role)
        permissions.require(platform, jobs.job_permissions(found.namespace))
        template = jobs.read_template(platform, found.namespace, written.template, found.container, settings)
        return cls(platform, role, written, template, settings, run_id, stop)

    @property
    def provides(self) -> bool:
        """The job's pods are the targets, and there are none before."""
        return True

    @property
    def name(self) -> str:
        """The job's name: hosts are called by it, so it is short."""
        date, _, rest = self.run_id.partition("-")
        return f"train-{date[-4:]}{rest[:6]}-{self.run_id[-4:]}".lower().rstrip("-")

    @property
    def ranks(self) -> int:
        """How many ranks the job has."""
        return self.template.pods * self.template.number("TRAIN_RANKS_PER_POD", 1)

    @property
    def reference(self) -> str:
        """The name of the reference: of everything that decides what the bits are."""
        digest = hashlib.sha256()
        for name in DECIDING:
            digest.update(f"{name}={self.template.environment.get(name, '')}\n".encode())
        digest.update(f"{self.ranks} {self.platform.target.suite.image}\n".encode())
        for module in CODE:
            file = WORKLOAD / f"{module}.py"
            digest.update(file.read_bytes() if file.exists() else b"")
        return f"reference-{digest.hexdigest()[:12]}"

    def permissions(self) -> list[Permission]:
        """Return what making and following the job needs."""
        return training_permissions(self.template.namespace)

    def timers(self) -> PlatformTimers:
        """Return the timers of its pods."""
        return template_timers(self.platform, self.template.job["spec"]["template"]["spec"])

    def job(self) -> Training:
        """Return what the plan says of it."""
        number = self.template.number
        return Training(
            kind=self.written.kind,
            template=self.template.name,
            storage=self.written.storage,
            namespace=self.template.namespace,
            job=self.name,
            ranks=self.ranks,
            pods=self.template.pods,
            steps=number("TRAIN_STEPS"),
            batch=number("TRAIN_BATCH"),
            max_restarts=number("TRAIN_MAX_RESTARTS"),
            interval_steps=number("TRAIN_INTERVAL"),
            settings=dict(self.settings),
            ledger=self.written.ledger,
            reference=self.reference,
        )

    def check(self) -> None:
        """Refuse unless ledger and storage are up, and no other job has ranks. Raises TargetRefused."""
        try:
            self._ask("health")
        except NoData as error:
            raise TargetRefused(f"{error}; without its ledger nothing of a training job can be measured; nothing was injected") from error
        with api_errors("look for what training needs", TargetRefused):
            stores = self.platform.pods(self.written.storage)
            alive = alive_runs(self.platform)
            for name in jobs.orphans(self.platform, self.template.namespace, alive | {self.run_id}):
                jobs.delete(self.platform, self.template.namespace, name)
            others = [pod.metadata.name for pod in self.platform.pods(self.role) if pod.metadata.deletion_timestamp is None]
        if not stores or not all(map(ready, stores)):
            raise TargetRefused(
                f"role {self.written.storage}: {sum(map(ready, stores))} of {len(stores)} pods are ready; deploy or mend it"
            )
        if others:
            raise TargetRefused(
                f"role {self.role}: {', '.join(others)} is of another job; end it: its ranks would be mistaken for this run's"
            )

    def provide(self, stack: ExitStack) -> None:
        """Make sure that there is a reference, make the job and wait until all its pods run. Raises TargetRefused."""
        self._provide_reference()
        stack.callback(self.end)
        self._create(self.name, self.settings, one_pod=False)
        self._wait(self._running, PODS_S, f"job {self.name}: not all of its {self.template.pods} pods run")

    def start(self, context: DrivenRun) -> None:
        """Follow the job's ledger and wait for its first step. Raises LoadFailed: there is none within 180 s."""
        run_dir, job = context.run.run_dir, self.job()
        _write_reference(LedgerWriter(run_dir, "reference", "runner"), self._ask(f"runs/{self.reference}") or b"")
        progress = TrainingProgress(self._from, LedgerWriter(run_dir, "training", "runner"), job, context.log)
        context.progress, context.load = progress, TrainingLoad(self, progress)

        def begun() -> bool:
            progress.update()
            return bool(progress.ledger.progress)

        if not until(begun, FIRST_STEP_S, POLL_S, context.stop.wait):
            raise LoadFailed(f"job {self.template.namespace}/{self.name}: no step was done within {FIRST_STEP_S:.0f} s; see its pods' logs")

    def end(self) -> None:
        """End the job: its pods get their grace for a while, then none. Idempotent; what fails is left to the job's own deadline."""
        platform, namespace = self.platform, self.template.namespace
        with suppress(AftershockError), api_errors(f"end job {namespace}/{self.name}", AftershockError):
            jobs.delete(platform, namespace, self.name)
            if not until(lambda: not jobs.pods_of(platform, namespace, self.name), END_S, POLL_S):
                jobs.delete_pods_now(platform, jobs.pods_of(platform, namespace, self.name))

    def _provide_reference(self) -> None:
        if self._referenced():
            return
        ranks = str(self.ranks)
        settings = {name: self.template.environment[name] for name in DECIDING if name in self.template.environment}
        settings |= {"TRAIN_NODES": "1", "TRAIN_RANKS_PER_POD": ranks, "TRAIN_RENDEZVOUS": "", "TRAIN_STEP_PAUSE_S": "0"}
        settings |= {"TRAIN_INTERVAL": self.template.environment["TRAIN_STEPS"], "TRAIN_DIGEST_EVERY": str(DIGEST_EVERY)}
        self._create(self.reference, settings, one_pod=True)
        self._wait(self._referenced, REFERENCE_S, f"job {self.reference}: the undisturbed run to compare with did not end")

    def _create(self, name: str, settings: Mapping[str, str], *, one_pod: bool) -> None:
        made = jobs.manifest(self.template, name, self.run_id, settings, one_pod=one_pod)
        jobs.create(self.platform, self.template.namespace, made)

    def _referenced(self) -> bool:
        try:
            return DONE.encode() in (self._ask(f"runs/{self.reference}") or b"")
        except NoData:
            return False

    def _running(self) -> bool:
        pods = jobs.pods_of(self.platform, self.template.namespace, self.name)
        return sum(map(ready, pods)) >= self.template.pods

    def _wait(self, condition: Callable[[], bool], limit_s: float, otherwise: str) -> None:
        with api_errors(otherwise, TargetRefused):
            if not until(condition, limit_s, POLL_S, self.stop.wait):
                raise TargetRefused(f"{otherwise} after {limit_s:.0f} s; nothing was injected; see kubectl describe job and its pods' logs")

    def _ask(self, path: str, **query: str) -> bytes | None:
        return proxy.get(self.platform, self.template.namespace, self.written.ledger, path, **query)

    def _from(self, offset: int) -> bytes:
        return self._ask(f"runs/{self.name}", offset=str(offset)) or b""


class TrainingLoad:
    """The job as the phases see it: whether it goes on, and how it is ended."""

    def __init__(self, driver: TrainingDriver, progress: TrainingProgress) -> None:
        self._driver, self._progress, self._ended = driver, progress, False

    def failure(self) -> str:
        """Return why there is nothing left to watch although nobody ended the job; empty while it goes on, or should."""
        if self._ended or not self._progress.finished():
            return ""
        return f"job {self._driver.name}: it did its last step before the run was over; give it more (TRAIN_STEPS)"

    def end(self) -> str:
        """Read the ledger to its end, then end the job."""
        wrong = self.failure()
        if not self._ended:
            self._progress.update()
            self._ended = True
            self._driver.end()
        return wrong


def _write_reference(writer: LedgerWriter, text: bytes) -> None:
    """Keep the rows of the attempt that ended: an earlier one was cut short."""
    rows = list(training_rows(text))
    ended = max((row["attempt"] for row in rows if row["kind"] == "end" and DONE in row["detail"]), default=None)
    writer.append([row for row in rows if row["attempt"] == ended])
    writer.close()
