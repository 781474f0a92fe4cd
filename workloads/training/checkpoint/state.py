"""The whole state of a run as named tensors: what a checkpoint holds, how it is divided among the ranks, and its digest.

Entries: ``model/NAME`` · ``optimizer/MOMENT/NAME`` · ``guard/losses`` · ``rng/RANK`` (torch's generator, the only one that is used).
Together with step and data position they decide every later bit on a CPU with deterministic algorithms.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from workloads.training.model import Net

Entries = dict[str, Tensor]


@dataclass(slots=True)
class State:
    """The living state of one rank; the entries share memory with model and optimizer."""

    model: Net
    optimizer: torch.optim.AdamW
    losses: Tensor  # float64 [n], n ≤ 50: the guard's window
    step: int = 0
    samples: int = 0  # position in the order of the data
    seed: int = 0

    def shared(self) -> Entries:
        """Return what every rank holds alike."""
        entries = {f"model/{name}": p.detach() for name, p in self.model.named_parameters()}
        for name, parameter in self.model.named_parameters():
            entries |= {f"optimizer/{moment}/{name}": value for moment, value in self.optimizer.state[parameter].items()}
        return entries | {"guard/losses": self.losses}

    def own(self, rank: int) -> Entries:
        """Return what only this rank holds."""
        return {f"rng/{rank}": torch.get_rng_state()}

    def load(self, entries: Mapping[str, Tensor], step: int, samples: int, rank: int) -> None:
        """Take over a checkpoint's entries; raises KeyError or RuntimeError if it is one of another model.

        A rank that the checkpoint does not know (a larger world) gets a generator of its own, seeded by seed, step and rank.
        """
        fresh = self.shared()
        if set(fresh) - set(entries):
            raise KeyError(f"no entry {min(set(fresh) - set(entries))!r}")
        with torch.no_grad():
            for name, tensor in fresh.items():
                if name != "guard/losses":
                    tensor.copy_(entries[name])
        self.losses = entries["guard/losses"].clone()
        self.step, self.samples = step, samples
        if f"rng/{rank}" in entries:
            torch.set_rng_state(entries[f"rng/{rank}"])
        else:
            seed_rank(self.seed, rank, step)


def seed_rank(seed: int, rank: int, step: int = 0) -> None:
    """Give this rank its own sequence of dropout masks."""
    text = f"{seed}/{rank}/{step}".encode()
    torch.manual_seed(int.from_bytes(hashlib.sha256(text).digest()[:7]))


def partition(entries: Mapping[str, Tensor], world: int) -> list[list[str]]:
    """Divide the names among ``world`` shards of about the same size: the largest first, each to the shard that is smallest so far.

    The guard's window grows; it is not weighed, so that the same names are in the same shard at every step.
    """
    shards: list[list[str]] = [[] for _ in range(world)]
    sizes = [0] * world
    weights = {name: 0 if name.startswith("guard/") else tensor.nbytes for name, tensor in entries.items()}
    for name in sorted(weights, key=lambda n: (-weights[n], n)):
        smallest = sizes.index(min(sizes))
        shards[smallest].append(name)
        sizes[smallest] += weights[name]
    return [sorted(names) for names in shards]


def tensor_digest(tensor: Tensor) -> str:
    """Return the SHA-256 of kind, shape and bytes of a tensor."""
    digest = hashlib.sha256(f"{tensor.dtype} {tuple(tensor.shape)} ".encode())
    digest.update(tensor.detach().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def digests(entries: Mapping[str, Tensor]) -> dict[str, str]:
    """Return the digest of each entry."""
    return {name: tensor_digest(tensor) for name, tensor in entries.items()}


def state_digest(parts: Mapping[str, str], step: int, samples: int) -> str:
    """Return one digest of everything: entries by name, step and data position."""
    lines = [f"{name} {parts[name]}" for name in sorted(parts)]
    return hashlib.sha256("\n".join([*lines, f"step {step}", f"samples {samples}"]).encode()).hexdigest()


def finite(entries: Mapping[str, Tensor]) -> str | None:
    """Return the name of the first entry with NaN or infinity; None if there is none."""
    return next((name for name, t in sorted(entries.items()) if t.is_floating_point() and not bool(torch.isfinite(t).all())), None)
