"""The weak platforms: one seeded weakness each, the experiment that must reveal it, and the check that must name it."""

from __future__ import annotations

from dataclasses import dataclass

from workloads.deploy import WEAK

HARDENED = "hardened"


@dataclass(frozen=True, slots=True)
class Weakness:
    """A weakness of the serving platform; ``name``: its folder in workloads/manifests/weak, which says in its first line what it is."""

    name: str
    experiment: str
    check: str

    @property
    def variant(self) -> str:
        """The variant of the platform that has it."""
        return f"{WEAK}/{self.name}"


WEAKNESSES = (
    Weakness("health-blind", "serving/engine-frozen", "rto"),
    Weakness("hang-noticed-late", "serving/engine-frozen", "rto"),
    Weakness("replicas-unchecked", "serving/engine-frozen", "rto"),
    Weakness("checks-too-rare", "serving/engine-frozen", "rto"),
    Weakness("no-drain", "serving/node-drained", "interrupted"),
    Weakness("grace-too-short", "serving/node-drained", "interrupted"),
    Weakness("gateway-drops", "serving/gateway-leaves", "interrupted"),
    Weakness("dns-believed", "serving/dns-silent", "rto"),
    Weakness("slow-eviction", "serving/gpu-node-lost", "capacity_rto"),
    Weakness("no-room", "serving/gpu-node-lost", "capacity_rto"),
)
EXPERIMENTS = tuple(dict.fromkeys(one.experiment for one in WEAKNESSES))
