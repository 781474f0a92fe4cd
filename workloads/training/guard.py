"""Guards of the state: batches that cannot be learned from are set aside, and ranks that do not agree are named."""

import math
from collections import Counter

import torch
from torch import Tensor

from workloads.training.checkpoint import state as states
from workloads.training.checkpoint.state import State
from workloads.training.errors import RanksDiverged, StateNotFinite
from workloads.training.group import Group

WINDOW = 50
_LEAST = 20  # losses before a jump can be told from noise


def objection(loss: float, norm: float, losses: Tensor, spike_factor: float) -> str | None:
    """Return why a step must not be taken (mean loss, norm of the averaged gradient; the same numbers on every rank), or None."""
    if not math.isfinite(loss):
        return f"loss is {loss}"
    if not math.isfinite(norm):
        return f"norm of the gradient is {norm}"
    if len(losses) >= _LEAST:
        median = float(losses.median())
        if loss > spike_factor * median:
            return f"loss {loss:.4g} is more than {spike_factor:g} times the median {median:.4g} of the last {len(losses)}"
    return None


def remember(losses: Tensor, loss: float) -> Tensor:
    """Return the window with the newest loss."""
    return torch.cat([losses, torch.tensor([loss], dtype=torch.float64)])[-WINDOW:]


def agree(group: Group, state: State) -> str:
    """Compare what all ranks hold alike and return the digest of the whole state.

    Raises RanksDiverged, on every rank, with the names of those that deviate from the majority, or of all groups where there is none.
    Raises StateNotFinite if the state that all agree on holds NaN or infinity.
    """
    shared = state.shared()
    parts = states.digests(shared)
    common = states.state_digest(parts, state.step, state.samples)
    everyone = group.gather((common, states.digests(state.own(group.rank))))
    held = [digest for digest, _ in everyone]
    if len(set(held)) > 1:
        raise RanksDiverged(f"step {state.step}: {deviation(held)}")
    if (name := states.finite(shared)) is not None:
        raise StateNotFinite(f"step {state.step}: {name} holds NaN or infinity on every rank; nothing of it is saved")
    for _, own in everyone:
        parts |= own
    return states.state_digest(parts, state.step, state.samples)


def deviation(held: list[str]) -> str:
    """Say which ranks hold something else than the majority; ``held`` are the digests by rank."""
    digest, count = Counter(held).most_common(1)[0]
    if count * 2 > len(held):
        ranks = [rank for rank, d in enumerate(held) if d != digest]
        return f"rank {', '.join(map(str, ranks))} deviates from the {count} ranks that agree"
    groups = {d: [rank for rank, other in enumerate(held) if other == d] for d in held}
    return f"no majority: ranks {' | '.join(', '.join(map(str, ranks)) for ranks in groups.values())} differ, any of them may be wrong"
