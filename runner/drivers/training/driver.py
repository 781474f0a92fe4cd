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
from typing import ClassVar

from history.budgets import Budgets
from history.errors import AftershockError, NoData, TargetRefused
from history.ledgers import LedgerWriter, training_rows
from history.plan import Timers
from history.workloads import Training, TrainingJob, TrainingPlan
from kube import permissions, proxy
from kube.client import Platform, api_errors, ready
from kube.permissions import Permission
from kube.platform_timers import PlatformTimers, template_timers
from kube.wait import until
from runner.drivers.driver import DrivenRun, Needs, Preparation, WorkloadFailed, driver
from runner.drivers.training import job as jobs
from runner.drivers.training.progress import TrainingProgress
from runner.stop import Stop
from safety.leases import alive_runs
from target.target import Target
from target.training import TrainingClass
from workloads.training.telemetry.ledger import DONE

PODS_S, FIRST_STEP_S, REFERENCE_S, END_S = 180.0, 180.0, 300.0, 20.0
POLL_S = 0.5
DIGEST_EVERY = 5
"""Steps between the reference's digests: jobs whose interval and digests are multiples of it can be compared at each."""
DECIDING = ("TRAIN_STEPS", "TRAIN_BATCH", "TRAIN_SEED", "TRAIN_WIDTH", "TRAIN_DATA")
CODE = ("data", "group", "guard", "model", "checkpoint/state", "trainer")
WORKLOAD = Path(__file__).parents[3] / "workloads" / "training"


@driver
@dataclass(frozen=True, slots=True)
class TrainingDriver:
    """One training job."""

    kind: ClassVar[str] = "training"
    platform: Platform
    name: str  # the class of workload in the target file
    role: str
    written: TrainingJob
    template: jobs.Template
    settings: Mapping[str, str]
    run_id: str
    stop: Stop

    @classmethod
    def permissions(cls, target: Target, name: str) -> tuple[Permission, ...]:
        """Return what making and following a job needs."""
        namespace = target.role(target.workloads[name].role).namespace
        return (*jobs.job_permissions(namespace), *proxy.permissions(namespace))

    @classmethod
    def of(cls, preparation: Preparation) -> TrainingDriver:
        """Read the template of the job. Raises TargetRefused."""
        platform, name = preparation.platform, preparation.name
        workload, own = platform.target.workload(name, TrainingClass), preparation.experiment.settings.training
        written = workload.job
        settings = {**written.settings, **own.settings}
        written = written.model_copy(update={"template": own.template or written.template})
        role = platform.target.role(workload.role)
        permissions.require(platform, jobs.job_permissions(role.namespace))
        template = jobs.read_template(platform, role.namespace, written.template, role.container, settings)
        return cls(platform, name, workload.role, written, template, settings, preparation.request.run_id, preparation.stop)

    @property
    def job_name(self) -> str:
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
        digest.update(f"{self.ranks} {self.template.image}\n".encode())
        for module in CODE:
            file = WORKLOAD / f"{module}.py"
            digest.update(file.read_bytes() if file.exists() else b"")
        return f"reference-{digest.hexdigest()[:12]}"

    def needs(self) -> Needs:
        """Return that the job's pods are the targets, and there are none before."""
        return Needs(provides_targets=True)

    def remarks(self) -> list[str]:
        """Return that there is nothing to say."""
        return []

    def timers(self) -> PlatformTimers:
        """Return the timers of its pods."""
        return template_timers(self.platform, self.template.job["spec"]["template"]["spec"])

    def plan(self, budgets: Budgets, timers: Timers, seed: int) -> TrainingPlan:  # noqa: ARG002 - a job goes by steps, and its seed is its template's
        """Return the job."""
        return TrainingPlan(name=self.name, role=self.role, region=self.platform.region_name, budgets=budgets, job=self.job())

    def job(self) -> Training:
        """Return what the plan says of the job."""
        number = self.template.number
        return Training(
            kind=self.written.kind,
            template=self.template.name,
            storage=self.written.storage,
            namespace=self.template.namespace,
            job=self.job_name,
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

    def check(self) -> list[str]:
        """Return what stands against it: ledger or storage is not up, or another job has ranks. Raises TargetRefused."""
        return [*self._ledger_is_down(), *self._storage_is_down(), *self._others()]

    def _ledger_is_down(self) -> list[str]:
        try:
            self._ask("health")
        except NoData as error:
            return [f"{error}; without its ledger nothing of a training job can be measured"]
        return []

    def _storage_is_down(self) -> list[str]:
        with api_errors("look for what keeps checkpoints", TargetRefused):
            stores = self.platform.pods(self.written.storage)
        if stores and all(map(ready, stores)):
            return []
        return [f"role {self.written.storage}: {sum(map(ready, stores))} of {len(stores)} pods are ready; deploy or mend it"]

    def _others(self) -> list[str]:
        """Return that ranks of another job would be mistaken for this run's, after ending those of runs that are gone."""
        with api_errors("look for ranks of other jobs", TargetRefused):
            alive = alive_runs(self.platform)
            for name in jobs.orphans(self.platform, self.template.namespace, alive | {self.run_id}):
                jobs.delete(self.platform, self.template.namespace, name)
            others = [pod.metadata.name for pod in self.platform.pods(self.role) if pod.metadata.deletion_timestamp is None]
        return (
            [f"role {self.role}: {', '.join(others)} is of another job; end it: its ranks would be mistaken for this run's"]
            if others
            else []
        )

    def provide(self, stack: ExitStack) -> None:
        """Make sure that there is a reference, make the job and wait until all its pods run. Raises TargetRefused."""
        self._provide_reference()
        stack.callback(self.end)
        self._create(self.job_name, self.settings, one_pod=False)
        self._wait(self._running, PODS_S, f"job {self.job_name}: not all of its {self.template.pods} pods run")

    def start(self, run: DrivenRun) -> TrainingProgress:
        """Follow the job's ledger and wait for its first step. Raises WorkloadFailed: there is none within 180 s."""
        _write_reference(LedgerWriter(run.dir, "reference", "runner"), self._ask(f"runs/{self.reference}") or b"")
        progress = TrainingProgress(self._from, LedgerWriter(run.dir, "training", "runner"), self.job(), run.log, self.end)

        def begun() -> bool:
            progress.update()
            return bool(progress.ledger.progress)

        if not until(begun, FIRST_STEP_S, POLL_S, run.stop.wait):
            self.end()
            where = f"job {self.template.namespace}/{self.job_name}"
            raise WorkloadFailed(f"{where}: no step was done within {FIRST_STEP_S:.0f} s; see its pods' logs")
        return progress

    def end(self) -> None:
        """End the job: its pods get their grace for a while, then none. Idempotent; what fails is left to the job's own deadline."""
        platform, namespace = self.platform, self.template.namespace
        with suppress(AftershockError), api_errors(f"end job {namespace}/{self.job_name}", AftershockError):
            jobs.delete(platform, namespace, self.job_name)
            if not until(lambda: not jobs.pods_of(platform, namespace, self.job_name), END_S, POLL_S):
                jobs.delete_pods_now(platform, jobs.pods_of(platform, namespace, self.job_name))

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
        pods = jobs.pods_of(self.platform, self.template.namespace, self.job_name)
        return sum(map(ready, pods)) >= self.template.pods

    def _wait(self, condition: Callable[[], bool], limit_s: float, otherwise: str) -> None:
        with api_errors(otherwise, TargetRefused):
            if not until(condition, limit_s, POLL_S, self.stop.wait):
                raise TargetRefused(f"{otherwise} after {limit_s:.0f} s; nothing was injected; see kubectl describe job and its pods' logs")

    def _ask(self, path: str, **query: str) -> bytes | None:
        return proxy.get(self.platform, self.template.namespace, self.written.ledger, path, **query)

    def _from(self, offset: int) -> bytes:
        return self._ask(f"runs/{self.job_name}", offset=str(offset)) or b""


def _write_reference(writer: LedgerWriter, text: bytes) -> None:
    """Keep the rows of the attempt that ended: an earlier one was cut short."""
    rows = list(training_rows(text))
    ended = max((row["attempt"] for row in rows if row["kind"] == "end" and DONE in row["detail"]), default=None)
    writer.append([row for row in rows if row["attempt"] == ended])
    writer.close()
