"""The weak platforms: one seeded weakness each, the experiment that must reveal it, and the check or the risk that must name it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.common.tables import ROOT
from workloads.deploy import WEAK

HARDENED, ASYNC = "hardened", "async"
TARGETS: dict[str, Path] = {HARDENED: ROOT / "targets" / "local.yaml", ASYNC: ROOT / "targets" / "async.yaml"}
"""The platforms that a weak one is a patch on, and the target file of each."""
RISK = "risk"
"""In the place of a check: nothing need fail, and the report must name the risk."""


@dataclass(frozen=True, slots=True)
class Weakness:
    """A weakness of the platform; ``name``: its folder in workloads/manifests/weak, which says in its first line what it is.

    ``check`` must FAIL, and the advice must name ``cause``; empty: none of those that are known. Of a ``RISK``: one of ``says`` must be in
    a risk of the report (``NAME of WHERE``, or the sentence of a refusal). ``stays``: what a run has brought about stays when its fault is
    over, so that the next one needs the platform anew.
    """

    name: str
    experiment: str
    check: str
    cause: str = ""
    says: tuple[str, ...] = ()
    base: str = HARDENED
    stays: bool = False

    @property
    def variant(self) -> str:
        """The variant of the platform that has it."""
        return f"{WEAK}/{self.name}"


WEAKNESSES = (
    Weakness("health-blind", "serving/engine-frozen", "rto", "blind-health"),
    Weakness("hang-noticed-late", "serving/engine-frozen", "rto", "blind-health"),
    Weakness("replicas-unchecked", "serving/engine-frozen", "rto", "gateway-without-health-checks"),
    Weakness("checks-too-rare", "serving/engine-frozen", "rto", "gateway-without-health-checks"),
    Weakness("no-liveness-probe", "serving/engine-frozen", RISK, says=("no-liveness-probe of Deployment inference",)),
    Weakness("no-drain", "serving/rolled-out", "interrupted", "no-pre-stop"),
    Weakness("no-pre-stop", "serving/node-drained", RISK, says=("no-pre-stop of Deployment inference",)),
    Weakness("budget-missed", "serving/node-drained", RISK, says=("no-disruption-budget of Deployment inference",)),
    Weakness("budget-allows-nothing", "serving/node-drained", RISK, says=("no drain of it ever ends",)),
    Weakness("ready-before-loaded", "serving/rolled-out", "rto", "ready-before-loaded"),
    Weakness("answers-cut", "serving/rolled-out", "interrupted"),
    Weakness("gateway-drops", "serving/gateway-leaves", "interrupted", "no-pre-stop"),
    Weakness("one-gateway", "serving/gateway-killed", RISK, says=("role gateway is a single point of failure",)),
    Weakness("pinned-to-a-node", "serving/gateway-node-lost", RISK, says=("all stand on node cpu-b",)),
    Weakness("one-zone", "serving/zone-lost", RISK, says=("one-zone of Deployment gateway", "all stand in zone zone-b")),
    Weakness("dns-believed", "serving/dns-silent", "rto", "names-forgotten"),
    Weakness("liveness-asks-api", "serving/api-server-down", "rto", "liveness-asks-others"),
    Weakness("slow-eviction", "serving/gpu-node-lost", "capacity_rto", "long-toleration"),
    Weakness("no-room", "serving/gpu-node-lost", "capacity_rto", "no-room"),
    Weakness("gpu-never-moved", "serving/gpu-lost", "capacity_rto", "no-liveness"),
    Weakness("one-replica", "serving/replica-killed", RISK, says=("role inference is a single point of failure",)),
    Weakness("late-first-check", "serving/replica-killed", "capacity_rto", "late-first-check"),
    Weakness("no-readiness-probe", "serving/replica-killed", RISK, says=("no-readiness-probe of Deployment inference",)),
    Weakness("impatient-liveness", "serving/replica-killed", RISK, says=("impatient-liveness of Deployment inference",)),
    Weakness("balance-blind", "serving/replica-starved", "availability"),
    Weakness("queue-without-bound", "serving/overload", "rto", "queue-without-bound"),
    Weakness("weights-unverified", "serving/weights-damaged", "rpo_requests", "unverified-weights", stays=True),
    Weakness("no-memory-limit", "serving/engine-out-of-memory", RISK, says=("container server has no limit of memory",)),
    Weakness("acknowledged-first", "async/holder-killed", "rpo_jobs", "acknowledged-first", base=ASYNC),
    Weakness("never-reclaimed", "async/holder-killed", "rpo_jobs", "never-reclaimed", base=ASYNC),
    Weakness("dies-of-poison", "async/poison-messages", "rto", "dies-of-poison", base=ASYNC),
    Weakness("queue-in-memory", "async/redis-killed", "fetched", "queue-in-memory", base=ASYNC),
    Weakness("queue-not-synced", "async/redis-node-lost", "fetched", "queue-not-synced", base=ASYNC),
    Weakness("results-forgotten", "async/engines-gone", "fetched", "results-forgotten", base=ASYNC),
    Weakness("one-consumer", "async/consumer-killed", RISK, says=("role consumer is a single point of failure",), base=ASYNC),
)
BY_VARIANT = {one.variant: one for one in WEAKNESSES}


def of_base(base: str) -> Iterator[Weakness]:
    """Yield the weaknesses that are patches on ``base``."""
    return (one for one in WEAKNESSES if one.base == base)


def experiments_of(base: str) -> tuple[str, ...]:
    """Return the experiments that the weaknesses on ``base`` meet, each once."""
    return tuple(dict.fromkeys(one.experiment for one in of_base(base)))


def base_of(variant: str) -> str:
    """Return the platform that a variant is a patch on: one without a weakness is its own."""
    return BY_VARIANT[variant].base if variant in BY_VARIANT else variant
