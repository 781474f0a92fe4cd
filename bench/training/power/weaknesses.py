"""The weak variants: one seeded weakness each, the scenario that should reveal it, and the check that must."""

from __future__ import annotations

from dataclasses import dataclass

from bench.training.power.job import Settings


@dataclass(frozen=True, slots=True)
class Weakness:
    """A variant of the workload that is weak in one way."""

    name: str
    settings: Settings
    scenario: str
    check: str


WEAKNESSES = (
    Weakness("no verification", {"verify": False}, "checkpoint-damaged", "state"),
    Weakness("torch.save without digest", {"format": "torch", "verify": False}, "stale-shard", "state"),
    Weakness("only one checkpoint kept", {"keep": 1}, "checkpoint-damaged", "rto"),
    Weakness("pointer moved before the data are durable", {"pointer": "early"}, "killed-while-saving", "rto"),
    Weakness("no resume", {"resume": False}, "rank-killed", "rpo_steps"),
    Weakness("data order not resumed", {"resume_data": False}, "rank-killed", "samples"),
    Weakness("collective timeout 30 min", {"collective_timeout_s": 1800}, "rank-hung", "rto"),
    Weakness("restart budget 0", {"max_restarts": 0, "relaunches": 0}, "rank-killed-torchrun", "rto"),
    Weakness("tracking call on the training path", {"tracking_inline": True}, "tracking-frozen", "rto"),
    Weakness("single-zone storage", {"single_zone": True}, "zone-lost", "rto"),
    Weakness("no fsync", {"fsync": False}, "power-cut", "rpo_steps"),
    Weakness("duplicate rank allowed", {"fencing": False}, "gang-returns", "writers"),
    Weakness("no emergency checkpoint", {"emergency": False}, "preempted", "rpo_steps"),
    Weakness("no snapshot before an asynchronous save", {"snapshot": False}, "slow-save", "state"),
    Weakness("ranks never compared", {"digest_every": 0}, "weights-flipped", "state"),
    Weakness("bucket without versioning", {"versioning": False}, "data-overwritten", "rto"),
)
