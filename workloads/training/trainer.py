"""The training loop of one rank: a step, what all ranks tell each other, and what follows from it on every rank alike."""

import signal
import time
from collections.abc import Sequence
from enum import Enum

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  torch's own convention
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils import get_total_norm

from workloads.storage.errors import StoreUnavailable
from workloads.training import guard
from workloads.training.checkpoint.saver import Saver
from workloads.training.checkpoint.state import State
from workloads.training.data import Dataset, Order
from workloads.training.errors import Fenced, RanksDiverged, TooManyQuarantined
from workloads.training.failpoints import Failpoints
from workloads.training.group import Group, Pulse, sum_in_order
from workloads.training.model import learning_rate
from workloads.training.settings import Settings
from workloads.training.telemetry import ledger
from workloads.training.telemetry.telemetry import Step, Telemetry


class End(Enum):
    """Why the loop ended."""

    DONE = ledger.DONE
    PREEMPTED = "told to leave by SIGTERM"


class Trainer:
    """One rank's part of the run, from wherever its state stands."""

    def __init__(
        self, settings: Settings, group: Group, state: State, *, data: Dataset, saver: Saver, telemetry: Telemetry, points: Failpoints
    ) -> None:
        self._settings, self._group, self._state = settings, group, state
        self._data, self._order = data, Order(len(data), settings.seed)
        self._saver, self._telemetry, self._points = saver, telemetry, points
        self._ddp = DistributedDataParallel(state.model)
        self._ddp.register_comm_hook(None, sum_in_order)
        self._stop = False
        self._last_save = state.step or -1
        self._aside = 0

    def run(self) -> End:
        """Train to the last step, or until a rank is told to leave.

        Raises RanksDiverged, StateNotFinite, TooManyQuarantined, Fenced; StoreUnavailable if the last checkpoint could not be stored
        anywhere; RuntimeError when a peer is gone.
        """
        if self._settings.emergency:
            signal.signal(signal.SIGTERM, self._told_to_leave)
        while self._state.step < self._settings.steps:
            stop = self._step()
            if stop:
                return self._leave()
        self._save(wait=True)
        return End.DONE

    def _told_to_leave(self, *_: object) -> None:
        self._stop = True

    def _step(self) -> bool:
        """Do one step and what is due after it; return whether any rank was told to leave."""
        begun, state = time.monotonic(), self._state
        action = self._points.hit("step", state.step + 1)
        if action == "flip":
            _flip_bit(state)
        ids = self._order.window(state.samples, self._settings.batch)[self._group.rank :: self._group.world]
        loss_sum = self._forward_backward(ids, poisoned=action == "nan")
        pulses = self._group.pulse(self._pulse(loss_sum, time.monotonic() - begun))
        loss = sum(p.loss for p in pulses) / self._settings.batch
        norm = float(get_total_norm([p.grad for p in state.model.parameters() if p.grad is not None], foreach=False))
        objection = self._apply(loss, norm)
        if self._settings.step_pause_s:
            time.sleep(self._settings.step_pause_s)
        self._telemetry.stepped(state, Step(loss, norm, ids, objection, time.monotonic() - begun, pulses))
        self._check_quarantine(objection)
        self._advance(pulses)
        self._after_step()
        return any(p.stop for p in pulses)

    def _forward_backward(self, ids: Sequence[int], *, poisoned: bool) -> float:
        """Leave the averaged gradient in the parameters and return the sum of this rank's losses."""
        features, labels = self._data.features[ids], self._data.labels[ids]
        if poisoned:
            features = features.clone()
            features[:1] = float("nan")
        self._state.optimizer.zero_grad()
        losses: Tensor = F.cross_entropy(self._ddp(features), labels, reduction="sum")
        # the hook divides by the number of ranks; so that each sample weighs the same however they are divided, it is multiplied here
        (losses * (self._group.world / self._settings.batch)).backward()  # type: ignore[no-untyped-call]
        return float(losses.detach())

    def _apply(self, loss: float, norm: float) -> str:
        """Take the step, unless the guard objects; return its objection."""
        settings, state = self._settings, self._state
        objection = guard.objection(loss, norm, state.losses, settings.spike_factor) if settings.guard else None
        if objection is None:
            for parameters in state.optimizer.param_groups:
                parameters["lr"] = learning_rate(state.step + 1, settings.steps)
            state.optimizer.step()
            state.losses = guard.remember(state.losses, loss)
        state.step += 1
        state.samples += settings.batch
        return objection or ""

    def _check_quarantine(self, objection: str) -> None:
        self._aside = self._aside + 1 if objection else 0
        if self._aside > self._settings.max_quarantined:
            raise TooManyQuarantined(
                f"step {self._state.step}: {self._aside} batches in a row were set aside, the last one: {objection}; look at the data"
            )

    def _pulse(self, loss_sum: float = 0.0, compute_s: float = 0.0) -> Pulse:
        return Pulse(loss_sum, float(self._stop), float(self._saver.phase), compute_s)

    def _advance(self, pulses: Sequence[Pulse]) -> None:
        outcome = self._saver.advance(pulses)
        if outcome is None:
            return
        self._telemetry.saved(outcome)
        if outcome.fenced:
            raise Fenced(outcome.fenced)
        if not outcome.saved and self._state.step == self._settings.steps:
            raise StoreUnavailable(f"the last checkpoint, {outcome.name}, is in no store: {'; '.join(s.problem for s in outcome.stores)}")

    def _after_step(self) -> None:
        every, step = self._settings.digest_every, self._state.step
        if step % self._settings.interval == 0 and step < self._settings.steps:
            self._save(wait=not self._settings.async_save)
        elif every and step % every == 0:
            self._agree()

    def _agree(self) -> None:
        try:
            digest = guard.agree(self._group, self._state)
        except RanksDiverged as error:
            self._telemetry.diverged(self._state.step, str(error))
            raise
        self._telemetry.agreed(self._state.step, digest)

    def _save(self, *, wait: bool) -> None:
        """Begin a checkpoint of this step, after the one under way; never of a state that the ranks do not agree on."""
        self._finish()
        if self._last_save != self._state.step:
            if self._settings.digest_every:
                self._agree()
            self._saver.start(self._state)
            self._last_save = self._state.step
        if wait:
            self._finish()

    def _finish(self) -> None:
        """Wait for the save under way, together: how long is decided by what all ranks told, and bounded by the save's own deadline."""
        while self._saver.busy:
            time.sleep(0.002)
            self._advance(self._group.pulse(self._pulse()))

    def _leave(self) -> End:
        self._save(wait=True)
        return End.PREEMPTED


def _flip_bit(state: State) -> None:
    """Flip the lowest exponent bit of the first weight of this rank's copy, as faulty hardware might."""
    first = next(iter(state.model.parameters())).detach()
    first.view(torch.int32).view(-1)[0] ^= 1 << 23
