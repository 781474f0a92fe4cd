"""A training job as what drives a run: made for the run, followed by its ledger, ended with the run.

What it should have come to stands in its reference (:mod:`runner.drivers.training.reference`): it is run once for a configuration, before
the job, and kept by the ledger's server.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar

from history.budgets import Budgets
from history.errors import AftershockError, NoData, TargetRefused
from history.ledgers import LedgerWriter
from history.plan import Timers
from history.workloads import State, Training, TrainingJob, TrainingPlan
from kube import permissions, proxy
from kube.client import Platform, api_errors, ready
from kube.permissions import Permission
from kube.platform_timers import PlatformTimers, template_timers
from kube.wait import until
from runner.drivers.driver import DrivenRun, Needs, Preparation, WorkloadFailed, driver
from runner.drivers.training import job as jobs
from runner.drivers.training.image import image_of, known_image
from runner.drivers.training.job import POLL_S, Awaited
from runner.drivers.training.left_behind import ranks_of_others
from runner.drivers.training.progress import Source, TrainingProgress
from runner.drivers.training.reference import reference_name, reference_settings
from runner.drivers.training.remote_ledger import RemoteLedger
from runner.drivers.training.template import Template, job_permissions, read_template
from runner.stop import Stop
from target.job_kinds.kind import Plain, job_kind
from target.target import Target
from target.training import TrainingClass

MAKES = 3
"""So often a job is made until it runs the image that its reference ran; a tag does not move more often while one starts."""


@driver
@dataclass(slots=True)
class TrainingDriver:
    """One training job. ``image``: the digest of what its ranks run, as far as it is known; ``made``: how often the job was made."""

    kind: ClassVar[str] = "training"
    platform: Platform
    name: str  # the class of workload in the target file
    role: str
    written: TrainingJob
    template: Template
    settings: Mapping[str, str]
    run_id: str
    stop: Stop
    state: State = field(default_factory=State)
    image: str = ""
    made: int = 0
    looks_only: bool = False  # a dry run: nothing is ended

    @classmethod
    def permissions(cls, target: Target, name: str) -> tuple[Permission, ...]:
        """Return what making and following a job needs."""
        workload = target.workload(name, TrainingClass)
        namespace = target.role(workload.role).namespace
        return (*job_permissions(job_kind(workload.job.kind), namespace), *proxy.permissions(namespace))

    @classmethod
    def of(cls, preparation: Preparation) -> TrainingDriver:
        """Read the template of the job. Raises TargetRefused."""
        platform, name = preparation.platform, preparation.name
        workload, own = platform.target.workload(name, TrainingClass), preparation.experiment.settings.training
        written = workload.job
        settings = {**written.settings, **own.settings}
        written = written.model_copy(update={"template": own.template or written.template})
        role = platform.target.role(workload.role)
        permissions.require(platform, job_permissions(job_kind(written.kind), role.namespace))
        template = read_template(platform, role.namespace, written, role.container, settings)
        run_id, stop = preparation.request.run_id, preparation.stop
        looks_only = preparation.request.dry_run
        return cls(platform, name, workload.role, written, template, settings, run_id, stop, workload.state, looks_only=looks_only)

    @property
    def job_name(self) -> str:
        """The job's name: hosts are called by it, so it is short."""
        date, _, rest = self.run_id.partition("-")
        again = f"-{self.made}" if self.made > 1 else ""
        return f"train-{date[-4:]}{rest[:6]}-{self.run_id[-4:]}".lower().rstrip("-") + again

    @property
    def ranks(self) -> int:
        """How many ranks the job has."""
        return self.template.pods * self.template.number("TRAIN_RANKS_PER_POD", 1)

    @property
    def reference(self) -> str:
        """The name of the reference: of everything that decides what the bits are."""
        return reference_name(self.template, self.ranks, self.image)

    @property
    def ledger(self) -> RemoteLedger:
        """Who keeps the ledgers."""
        return RemoteLedger(self.platform, self.template.namespace, self.written.ledger)

    def needs(self) -> Needs:
        """Return that the job's pods are the targets, and there are none before."""
        return Needs(provides_targets=True)

    def remarks(self) -> list[str]:
        """Return how the platform treats its template, where that is harsh."""
        return [f"{self.template.where}: {remark}" for remark in self.template.kind.remarks(self.template.job)]

    def timers(self) -> PlatformTimers:
        """Return the timers of its pods."""
        return template_timers(self.platform, self.template.pod)

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
            limits=self.written.limits,
            undisturbed=self.written.undisturbed,
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
            state=self.state,
        )

    def check(self) -> list[str]:
        """Return what stands against it: ledger or storage is not up, or another job has ranks.

        Raises TargetRefused: nobody can look, or the API server would not admit the job (asked by a dry run).
        """
        wrong = [*self._ledger_is_down(), *self._storage_is_down(), *self._others()]
        jobs.create(self.platform, self.template, self._manifest(self.job_name, self.settings), dry_run=True)
        return wrong

    def _ledger_is_down(self) -> list[str]:
        try:
            self.ledger.ask("health")
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
        """Return that ranks of another job would be mistaken for this run's."""
        with api_errors("look for ranks of other jobs", TargetRefused):
            others = ranks_of_others(self.platform, self.template, self.role, self.run_id, looks_only=self.looks_only)
        mistaken = f"role {self.role}: {', '.join(others)} is of another job; end it: its ranks would be mistaken for this run's"
        return [mistaken] if others else []

    def provide(self, stack: ExitStack) -> None:
        """Make sure that there is a reference of what the job runs, make the job and wait until all its pods run. Raises TargetRefused.

        Where the template names its image by a tag, the job's own pods say which image that is. If there is no reference of that one, the
        job is ended, the reference run, and the job made anew.
        """
        stack.callback(self.end)
        with api_errors(f"look for pods that ran {self.template.image}", TargetRefused):
            self.image = self.image or known_image(self.platform, self.template)
        for _ in range(MAKES):
            if self.image:
                self._provide_reference()
            ran = self._made() or self.template.image
            expected, self.image = self.image, ran
            if ran == expected or self.ledger.ended(self.reference):
                return
            self.end()
        where = f"{self.template.where}: image {self.template.image}"
        raise TargetRefused(f"{where} became another one each time a job of it was started; nothing was injected; name it by its digest")

    def _made(self) -> str:
        """Make the job, wait until all its pods run, and return the digest of their image (empty: no kubelet says)."""
        self.made += 1
        jobs.create(self.platform, self.template, self._manifest(self.job_name, self.settings))
        otherwise = f"job {self.job_name}: not all of its {self.template.pods} pods run"
        running = partial(jobs.running, self.platform, self.template, self.job_name)
        jobs.wait(self.platform, self.template, self.job_name, Awaited(running, self.written.limits.pods_s, otherwise), self.stop)
        with api_errors(f"look at the pods of job {self.job_name}", TargetRefused):
            return image_of(self.template, jobs.pods_of(self.platform, self.template, self.job_name))

    def start(self, run: DrivenRun) -> TrainingProgress:
        """Follow the job's ledger and wait for its first step. Raises WorkloadFailed: there is none within the class's limit."""
        self.ledger.keep_reference(self.reference, run.dir)
        source = Source(lambda offset: self.ledger.rows(self.job_name, offset), self.ledger.server_ns)
        budget_s = next((one.budgets.rto_s for one in run.plan.workloads if one.name == self.name), None)
        progress = TrainingProgress(source, LedgerWriter(run.dir, "training", "runner"), self.job(), run.log, self.end, budget_s=budget_s)
        limit_s = self.written.limits.first_step_s

        def begun() -> bool:
            progress.update()
            return bool(progress.ledger.progress)

        if not until(begun, limit_s, POLL_S, run.stop.wait):
            self.end()
            where = f"job {self.template.namespace}/{self.job_name}"
            raise WorkloadFailed(f"{where}: no step was done within {limit_s:.0f} s{progress.left_out()}; see its pods' logs")
        return progress

    def end(self) -> None:
        """End the job: its pods get their grace for a while, then none. Idempotent; what fails is left to the job's own deadline."""
        self._end(self.job_name)

    def _end(self, name: str) -> None:
        with suppress(AftershockError), api_errors(f"end job {name}", AftershockError):
            jobs.end(self.platform, self.template, name)

    def _provide_reference(self) -> None:
        name, limit_s, one_pod = self.reference, self.written.limits.reference_s, self.written.undisturbed == "one_pod"
        if self.ledger.ended(name):
            return
        settings = reference_settings(self.template, self.ranks, one_pod=one_pod)
        jobs.create(self.platform, self.template, self._manifest(name, settings, limit_s=limit_s, one_pod=one_pod))
        otherwise = f"job {name}: the undisturbed run to compare with did not end"
        jobs.wait(self.platform, self.template, name, Awaited(lambda: self.ledger.ended(name), limit_s, otherwise), self.stop)
        if not one_pod:  # the role selects its pods, and the run's own job needs their room
            self._end(name)

    def _manifest(self, name: str, settings: Mapping[str, str], *, limit_s: float | None = None, one_pod: bool = False) -> Plain:
        limit_s, labels = limit_s or self.written.limits.job_s, self.written.labels
        return jobs.manifest(self.template, name, self.run_id, settings, one_pod=one_pod, limit_s=limit_s, labels=labels)
