"""The ranks of a run and what they exchange: gloo collectives with a deadline, and sums in a fixed order.

Whatever all ranks must decide alike is decided from what was exchanged, never from a clock or a flag of one rank.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import astuple, dataclass
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor
from torch._C._distributed_c10d import GradBucket  # the public name, dist.GradBucket, has no type

from workloads.storage.errors import StorageError
from workloads.training.errors import TrainingError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RankPlace:
    """Where this process stands among the ranks; torchrun's environment variables."""

    rank: int
    world: int
    local_rank: int
    restart: int
    max_restarts: int

    @classmethod
    def of(cls, environment: Mapping[str, str] = os.environ) -> "RankPlace":
        """Read what torchrun sets for each rank."""
        names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "TORCHELASTIC_RESTART_COUNT", "TORCHELASTIC_MAX_RESTARTS")
        return cls(*(int(environment.get(name, default)) for name, default in zip(names, "01000", strict=True)))


@dataclass(frozen=True, slots=True)
class Pulse:
    """What each rank tells all others once a step."""

    loss: float  # sum over its samples
    stop: float  # 1: it was told to leave
    phase: float  # how far its part of a save is (saver.Phase)
    compute_s: float  # what its forward and backward pass took, without waiting for others


class Group:
    """Collectives over all ranks; each raises RuntimeError when a peer is gone, or silent for longer than the timeout."""

    def __init__(self, place: RankPlace, timeout_s: float) -> None:
        self.rank, self.world = place.rank, place.world
        dist.init_process_group("gloo", timeout=timedelta(seconds=timeout_s))

    def pulse(self, mine: Pulse) -> list[Pulse]:
        """Exchange the pulses, ordered by rank."""
        row = torch.tensor(astuple(mine), dtype=torch.float64)
        rows = [torch.empty_like(row) for _ in range(self.world)]
        dist.all_gather(rows, row)
        return [Pulse(*r.tolist()) for r in rows]

    def gather(self, item: T) -> list[T]:
        """Exchange one object a rank, ordered by rank."""
        items = [item] * self.world
        dist.all_gather_object(items, item)
        return items

    def from_first(self, make: Callable[[], T]) -> T:
        """Let rank 0 make something for all; its TrainingError or StorageError is raised on every rank."""
        made: list[T | Exception | None] = [None]
        if self.rank == 0:
            try:
                made = [make()]
            except (TrainingError, StorageError) as error:
                made = [error]
        dist.broadcast_object_list(made, src=0)
        if isinstance(made[0], Exception):
            raise made[0]
        return made[0]  # type: ignore[return-value]  # filled by the broadcast

    def close(self) -> None:
        """Leave the group."""
        dist.destroy_process_group()


def sum_in_order(_: object, bucket: GradBucket) -> torch.futures.Future[Tensor]:
    """Average gradients over the ranks, adding in the order of ranks: DDP's communication hook.

    An all-reduce adds in an order that depends on where a number stands in its bucket, and DDP lays out its buckets anew after the first
    step. With three ranks and more, a resumed run would differ from an uninterrupted one in the last bits.
    """
    mine = bucket.buffer()
    parts = [torch.empty_like(mine) for _ in range(dist.get_world_size())]
    dist.all_gather(parts, mine)
    total = parts[0].clone()
    for part in parts[1:]:
        total += part
    done: torch.futures.Future[Tensor] = torch.futures.Future()
    done.set_result(total / len(parts))
    return done
