"""How the platform is built: what its objects said when a run was planned, as far as risks and advice are read from it.

A small excerpt, made by :mod:`kube.layout`. It holds no values of settings, no images, no commands. What could not be read is named in
``unread`` and is ``None`` here: it is not known, which is not the same as not there.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from history.values import FrozenModel

NO_CAUSE = "No cause was found among those that are known: nothing in how the platform is built explains this."
"""What is said of a FAIL whose cause nobody found."""


class Probe(FrozenModel):
    """A probe of a container, with Kubernetes' defaults filled in."""

    asks: str  # HTTP /health, TCP, a command, gRPC
    delay_s: float = 0.0
    period_s: float = 10.0
    timeout_s: float = 1.0
    failures: int = 3

    @property
    def allows_s(self) -> float:
        """How long after its start a container may fail this probe before that has consequences (s)."""
        return self.delay_s + self.period_s * self.failures


class DisruptionLimit(FrozenModel):
    """A disruption budget that selects the role's pods: how many must be healthy, of how many."""

    name: str
    healthy: int
    of: int

    @property
    def never(self) -> bool:
        """Whether it allows no eviction even while all of its pods are healthy."""
        return self.healthy >= self.of


class RoleLayout(FrozenModel):
    """How one role is built. Of its pods one stands for all where they are alike."""

    role: str
    where: str  # who has its settings: Deployment inference
    namespace: str = ""
    wanted: int
    ready: int
    nodes: int = 0  # on which its ready pods stand
    zones: tuple[str, ...] | None = None  # in which these nodes lie
    serves: bool = False  # users or other parts reach it through a Service, or a class of workload asks it
    readiness: Probe | None = None
    liveness: Probe | None = None
    startup: Probe | None = None
    pre_stop: bool = False  # its main container has a preStop hook
    grace_s: float = 30.0
    memory_limit: bool = False  # of every container
    gpus: int | None = None  # that its pods ask for, all together; none: an older run, nobody looked
    toleration_s: float = 300.0  # how long its pods stay bound to a node that is unreachable
    start_s: float = 0.0  # scheduled -> container runs, as its pods took; 0 for both: none shows it
    load_s: float = 0.0  # container runs -> ready, likewise
    pinned: tuple[str, ...] = ()  # what holds its pods on one node, in words
    disruption: tuple[DisruptionLimit, ...] | None = None
    budgets: dict[str, float] = Field(default_factory=dict)  # of classes of workload that it serves: rto, capacity_rto (s)

    @property
    def of_each_node(self) -> bool:
        """Whether each node has one of its own, which goes and comes with it."""
        return self.where.startswith("DaemonSet ")

    @property
    def ready_s(self) -> float:
        """How long a replica takes from its node to being ready (s), as those that are there took; 0: none shows it."""
        return self.start_s + self.load_s

    @property
    def first_check_s(self) -> float:
        """How long after its start a container is first asked whether it is ready (s)."""
        return max((one.delay_s for one in (self.startup, self.readiness) if one), default=0.0)


class Layout(FrozenModel):
    """How the platform is built."""

    node_monitor_s: float = 50.0  # after how long a silent node is called not ready
    schedulers: int | None = None  # that can be seen: a managed control plane shows none
    roles: tuple[RoleLayout, ...] = ()
    unread: tuple[str, ...] = ()  # what may not be read, in words

    def of(self, role: str) -> RoleLayout | None:
        """Return how ``role`` is built, if it is known."""
        return next((one for one in self.roles if one.role == role), None)


class Weakness(FrozenModel):
    """A risk that the platform's objects show without any fault, and which experiments would prove it."""

    name: str  # of the function that found it: one-replica
    role: str = ""  # empty: the cluster itself
    where: str  # the object
    field: str  # of that object
    says: str  # what it is, a sentence
    costs: str  # what it would cost, a sentence
    proved_by: tuple[str, ...] = ()  # experiments; empty: none of those at hand

    @property
    def sentence(self) -> str:
        """Return it whole."""
        return f"{self.says} {self.costs}"


class Advice(FrozenModel):
    """A likely cause of a FAIL: what was observed and what the objects say, the field to change, and what that would bring."""

    cause: str  # of the function that found it: long-toleration
    where: str  # the object
    field: str  # of that object
    sentence: str
    explains_s: float = Field(ge=0)  # how much of what was observed it explains (s): by that causes are ranked
    sure: Literal["seen", "likely"] = "likely"
