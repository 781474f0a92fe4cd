"""The bound on losses after a change of ranks, on the reference platform's model: dropout stays within it, lost weights do not."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from statistics import fmean

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from verdict.training.resized import FEWEST_STEPS, LOSS_SHARE
from workloads.training.checkpoint.state import seed_rank
from workloads.training.data import Order, synthetic
from workloads.training.model import build, learning_rate

BATCH, STEPS, WIDTH, CHANGED = 24, 1000, 32, 60
DATA, ORDER = synthetic(4096, 0), Order(4096, 0)
Model = tuple[nn.Module, torch.optim.AdamW]


def generators(ranks: int, seed: int) -> list[Tensor]:
    """The dropout's generator of each rank."""
    found = []
    for rank in range(ranks):
        seed_rank(seed, rank)
        found.append(torch.get_rng_state())
    return found


def losses(model: Model, ranks: Sequence[Tensor], steps: range) -> list[float]:
    """Train as so many ranks do, one after the other; return the loss of each step."""
    net, optimizer = model
    states, found = list(ranks), []
    for step in steps:
        optimizer.zero_grad()
        total = 0.0
        for rank, state in enumerate(states):
            torch.set_rng_state(state)
            ids = ORDER.window(step * BATCH, BATCH)[rank :: len(states)]
            loss = functional.cross_entropy(net(DATA.features[ids]), DATA.labels[ids], reduction="sum")
            (loss / BATCH).backward()
            states[rank], total = torch.get_rng_state(), total + float(loss.detach())
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step + 1, STEPS)
        optimizer.step()
        found.append(total / BATCH)
    return found


def copied(model: Model) -> Model:
    net, optimizer = build(0, WIDTH)
    net.load_state_dict(model[0].state_dict())
    optimizer.load_state_dict(deepcopy(model[1].state_dict()))
    return net, optimizer


@pytest.fixture(scope="module")
def trained() -> Model:
    model = build(0, WIDTH)
    losses(model, generators(3, 0), range(CHANGED))
    return model


def apart(model: Model, trained: Model, seed: int) -> float:
    """How far the losses of two ranks that go on from ``model`` lie from those of three that go on undisturbed."""
    steps = range(CHANGED, CHANGED + FEWEST_STEPS)
    undisturbed = fmean(losses(copied(trained), generators(3, 1), steps))
    return abs(fmean(losses(model, generators(2, seed), steps)) - undisturbed) / undisturbed


def test_what_dropout_and_rounding_explain_is_within_the_bound(trained: Model) -> None:
    assert max(apart(copied(trained), trained, seed) for seed in range(2, 6)) < LOSS_SHARE


def test_weights_that_were_lost_are_far_beyond_it(trained: Model) -> None:
    assert apart(build(0, WIDTH), trained, 2) > 2 * LOSS_SHARE
