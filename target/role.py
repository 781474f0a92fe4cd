"""What plays one role on the platform: which pods, who makes them, and how they are looked into."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from history.values import Seconds, Written
from target.engines import ENGINES
from target.job_kinds.kind import Resource
from target.object_store import ObjectStore
from target.prometheus import Label, matchers_of

KINDS = {
    one.kind: one
    for one in (
        Resource("apps", "v1", "deployments", "Deployment"),
        Resource("apps", "v1", "statefulsets", "StatefulSet"),
        Resource("apps", "v1", "replicasets", "ReplicaSet"),
        Resource("apps", "v1", "daemonsets", "DaemonSet"),
        Resource("batch", "v1", "jobs", "Job"),
        Resource("leaderworkerset.x-k8s.io", "v1", "leaderworkersets", "LeaderWorkerSet"),
        Resource("argoproj.io", "v1alpha1", "rollouts", "Rollout"),
        Resource("jobset.x-k8s.io", "v1alpha2", "jobsets", "JobSet"),
    )
}
"""Kinds of controllers that are known, and how the API calls them; of any other the scale subresource is asked."""
COUNTERS = ("_total", "_bucket", "_count", "_sum", "_created")  # endings of names, by the convention of Prometheus
SELECTOR = r"^.+(=.+|\s(not)?in\s*\(.+\))"


class Controller(Written):
    """Who makes a role's pods, and says how many there should be."""

    kind: str = Field(default="Deployment", min_length=1)
    name: str = Field(min_length=1)
    resource: str | None = Field(
        default=None, pattern=r"^[a-z0-9]+(\.[a-z0-9-]+)+$"
    )  # of another kind: as kubectl names it, with its group


class Process(Written):
    """How the worker process inside a pod is recognised: all that is said must hold, and of exactly one process of the container."""

    match: str | None = Field(default=None, min_length=1)  # a part of its command line
    title: str | None = Field(default=None, min_length=1, max_length=15)  # the name that the kernel keeps of it (/proc/PID/comm)
    listens: int | None = Field(default=None, gt=0, lt=65536)  # a TCP port on which it takes connections
    child_of: str | None = Field(default=None, min_length=1)  # a part of its parent's command line
    pick: Literal["only", "newest"] = "only"  # of several

    @property
    def says_which(self) -> bool:
        """Whether it tells processes apart by anything but their age."""
        return any((self.match, self.title, self.listens, self.child_of))

    def __str__(self) -> str:
        """Return it in words: ``vllm (child of supervisord)``."""
        said = [f"called {self.title}"] if self.title else []
        said += [f"listening on {self.listens}"] if self.listens else []
        said += [f"child of {self.child_of}"] if self.child_of else []
        said += ["the newest"] if self.pick == "newest" else []
        return " ".join([*([self.match] if self.match else []), *([f"({', '.join(said)})"] if said else [])])


class Health(Written):
    """Where a pod itself says that it is well; the word ``kubelet`` instead: as its readiness probe asks."""

    ask: Literal["kubelet"] | None = None
    port: int | None = Field(default=None, gt=0, lt=65536)
    path: str | None = None  # left out: nobody asks over HTTP

    @model_validator(mode="before")
    @classmethod
    def _of_a_word(cls, data: Any) -> Any:  # noqa: ANN401 - what a file says
        return {"ask": data} if isinstance(data, str) else data

    @model_validator(mode="after")
    def _asks_one_way(self) -> Health:
        if (self.ask is None) == (self.port is None):
            raise ValueError("health is the word kubelet, or port and path")
        return self


class Metrics(Written):
    """Names of the role's own metrics in Prometheus; left out: as target.engines knows them."""

    queue: str | None = Field(default=None, min_length=1)  # a gauge: requests that wait in front of the engines
    labels: dict[Label, str] | None = None  # by which its series are told from others'; left out: its namespace
    served: str | None = Field(default=None, min_length=1)  # a counter on each pod's own /metrics, at its health's port: requests served

    @field_validator("queue")
    @classmethod
    def _is_no_counter(cls, name: str | None) -> str | None:
        if name is not None and name.endswith(COUNTERS):
            raise ValueError(f"{name} is a counter by its name, which only grows; name the gauge of requests that wait")
        return name


class Credentials(Written):
    """Where what the role's servers ask for is found, never what it is."""

    env: str = Field(min_length=1)


class Role(Written):
    """What plays one role on the platform: pods of one selector in one namespace, alike in each of its regions."""

    regions: tuple[str, ...] = ()  # left out: every region
    namespace: str
    selector: str = Field(min_length=3, pattern=SELECTOR)
    controller: Controller | None = None
    replicas: int | None = Field(default=None, ge=0)  # how many there should be where no controller says so
    service: str | None = None
    container: str | None = None
    adapter: str | None = None  # what kind of model server it is: one of target.engines
    process: Process | None = None
    health: Health | None = None
    metrics: Metrics = Metrics()
    of_run: bool = False  # its pods are made by each run and gone after it: a training job's ranks
    drain_budget: Seconds | None = None  # how long a planned move of its pods may take
    not_drainable: str | None = Field(default=None, min_length=1)  # why there is no such budget
    scratch: bool = False  # what it stores may be destroyed in a drill
    credentials: Credentials | None = None
    object_store: ObjectStore | None = None  # where what it stores lies, for faults on stored data

    @model_validator(mode="after")
    def _says_once(self) -> Role:
        for one, other in (("controller", "replicas"), ("drain_budget", "not_drainable")):
            if getattr(self, one) is not None and getattr(self, other) is not None:
                raise ValueError(f"{one} and {other}: one of them, not both")
        return self

    @property
    def worker(self) -> Process | None:
        """How its worker process is recognised: as the role says, else by the command line that its adapter knows."""
        said, known = self.process or Process(), ENGINES[self.adapter].process if self.adapter in ENGINES else None
        found = said if said.says_which or known is None else said.model_copy(update={"match": known})
        return found if found.says_which else None

    @property
    def engine(self) -> str | None:
        """A part of the worker process's command line, as the role says or its adapter knows."""
        return self.worker.match if self.worker else None

    @property
    def queue_metric(self) -> str:
        """The gauge of requests that wait, as the role says; empty: by whichever name of a known engine Prometheus has it."""
        return self.metrics.queue or ""

    @property
    def series_labels(self) -> dict[str, str]:
        """The labels that its series have in Prometheus, and those of others have not."""
        return {"namespace": self.namespace} if self.metrics.labels is None else self.metrics.labels

    @property
    def series_matchers(self) -> str:
        """Its :attr:`series_labels` as PromQL matchers, without braces."""
        return matchers_of(self.series_labels)

    @property
    def served_metric(self) -> str | None:
        """The counter of requests that a pod served, as the role says or its adapter knows."""
        return self.metrics.served or (ENGINES[self.adapter].served if self.adapter in ENGINES else None)

    def configuration(self) -> dict[str, str]:
        """Return what experiment files may use of it."""
        values = {
            "namespace": self.namespace,
            "selector": self.selector,
            "deployment": self.controller.name if self.controller and self.controller.kind == "Deployment" else None,
            "service": self.service,
            "container": self.container,
            "port": self.health.port if self.health else None,
            "health": self.health.path if self.health else None,
            "of_run": self.of_run,
            "engine": self.engine,
        }
        return {key: str(value) for key, value in values.items() if value is not None}
