"""Everything that a rank reports of itself: ledger, metrics, tracking and log, each event in one call."""

import hashlib
import logging
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from workloads.training.checkpoint.resume import Resumed
from workloads.training.checkpoint.saver import SaveOutcome
from workloads.training.checkpoint.state import State
from workloads.training.group import Pulse, RankPlace
from workloads.training.settings import Settings
from workloads.training.telemetry.ledger import RankLedger
from workloads.training.telemetry.metrics import Metrics
from workloads.training.telemetry.tracking import Tracker

log = logging.getLogger("training")


@dataclass(frozen=True, slots=True)
class Step:
    """One rank's step: mean loss of all ranks, norm of the averaged gradient, own sample ids, why it was not applied (empty: it was)."""

    loss: float
    norm: float
    samples: Sequence[int]
    objection: str
    seconds: float
    pulses: Sequence[Pulse]


class Telemetry:
    """Reports what one rank does."""

    def __init__(self, settings: Settings, place: RankPlace, ledger: RankLedger, metrics: Metrics, tracker: Tracker) -> None:
        self._settings, self._place = settings, place
        self._ledger, self._metrics, self._tracker = ledger, metrics, tracker
        self._tracked = ""

    def started(self, attempt: int, resumed: Resumed, step: int, data_samples: int) -> None:
        """Tell where this attempt goes on."""
        self._ledger.attempt = attempt
        self._metrics.resumed(resumed)
        if self._place.rank:
            return
        name, settings = str(resumed.name) if resumed.name else None, self._settings
        where = {
            "checkpoint": name,
            "store": resumed.store,
            "depth": resumed.depth,
            "rejected": resumed.rejected,
            "restore_s": resumed.seconds,
        }
        order = {"data_samples": data_samples, "seed": settings.seed, "batch": settings.batch}
        who = {"world": self._place.world, "restart": self._place.restart, "owner": settings.owner, "weak": settings.weaknesses}
        self._ledger.append("start", step, **where, **order, **who)
        for problem in resumed.rejected:
            log.warning("passed over %s", problem)
        log.info("attempt %d of run %s goes on from %s with %d ranks", attempt, self._settings.run_id, name or "nothing", self._place.world)

    def stepped(self, state: State, step: Step) -> None:
        """Tell of a step; the row is durable when this returns, unless the ledger is down."""
        outcome = "quarantined" if step.objection else "applied"
        values = {"loss": step.loss, "loss_digest": loss_digest(step.loss, step.norm), "samples": step.samples, "outcome": outcome}
        self._ledger.append("step", state.step, position=state.samples, **values)
        if step.objection:
            self._metrics.quarantined.inc()
            log.warning("step %d: batch set aside: %s", state.step, step.objection)
        self._metrics.stepped(state.step, self._settings.batch, step.seconds, step.loss, step.pulses)
        self._metrics.backlog.set(self._ledger.backlog)
        if self._place.rank == 0 and state.step % self._settings.track_every == 0:
            self._tracker.log(state.step, {"loss": step.loss, "gradient_norm": step.norm, "samples": float(state.samples)})
            self._metrics.dropped.set(self._tracker.dropped)
            self._name_tracked(state.step)

    def _name_tracked(self, step: int) -> None:
        """Tell the ledger, once, by which id the tracking server knows the run: who looks there later has no other way."""
        if self._tracker.run_id and not self._tracked:
            self._tracked = self._tracker.run_id
            self._ledger.append("tracked", step, run_id=self._tracked)

    def agreed(self, step: int, digest: str) -> None:
        """Tell the digest of the whole state that all ranks agree on."""
        if self._place.rank == 0:
            self._ledger.append("state", step, digest=digest)

    def diverged(self, step: int, sentence: str) -> None:
        """Tell who deviates."""
        log.error("%s", sentence)
        if self._place.rank == 0:
            self._ledger.append("divergence", step, sentence=sentence)

    def saved(self, outcome: SaveOutcome) -> None:
        """Tell what a save came to."""
        self._metrics.saved(outcome)
        if self._place.rank:
            return
        stores = [
            {"url": s.url, "problem": s.problem, "verified": s.newest_verified, "damaged": s.damaged, "removed": s.removed}
            for s in outcome.stores
        ]
        self._ledger.append(
            "checkpoint", outcome.name.step, name=str(outcome.name), seconds=outcome.seconds, digest=outcome.state_digest, stores=stores
        )
        for store in outcome.stores:
            for problem in [store.problem] if store.problem else store.damaged:
                log.warning("checkpoint %s: %s", outcome.name, problem)

    def ended(self, step: int, why: str) -> None:
        """Tell why this attempt ends, and let go of what waits."""
        self._ledger.append("end", step, why=why)
        self._ledger.close()
        self._tracker.close()
        log.info("rank %d ends at step %d: %s", self._place.rank, step, why)


def loss_digest(loss: float, norm: float) -> str:
    """Return 16 hexadecimal digits that tell two steps apart to the last bit of loss and gradient norm."""
    return hashlib.sha256(struct.pack(">dd", loss, norm)).hexdigest()[:16]
