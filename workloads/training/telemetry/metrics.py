"""What Prometheus can read of each rank."""

import math
import time
from collections.abc import Sequence
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

from workloads.training.checkpoint.resume import Resumed
from workloads.training.checkpoint.saver import SaveOutcome
from workloads.training.group import Pulse, RankPlace

_STEP_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_SAVE_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


def _gauge(registry: CollectorRegistry, name: str, about: str, *labels: str) -> Gauge:
    return Gauge(f"training_{name}", about, labels, registry=registry)


def _counter(registry: CollectorRegistry, name: str, about: str, *labels: str) -> Counter:
    return Counter(f"training_{name}", about, labels, registry=registry)


class Metrics:
    """The metrics of one rank, in a registry of their own."""

    def __init__(self, place: RankPlace) -> None:
        self.registry = registry = CollectorRegistry()
        gauge, counter = partial(_gauge, registry), partial(_counter, registry)
        self.step = gauge("step", "optimizer steps done")
        self.steps = counter("steps", "steps done by this process, replayed ones included")
        self.samples = counter("samples", "samples seen by all ranks, counted by this process")
        self.rate = gauge("samples_per_second", "samples of all ranks over the last step's time")
        self.step_seconds = Histogram("training_step_seconds", "time a step takes", buckets=_STEP_BUCKETS, registry=registry)
        self.loss = gauge("loss", "mean loss of the last step")
        self.compute = gauge("rank_compute_seconds", "forward and backward pass of each rank, without waiting", "peer")
        self.saves = Histogram("training_checkpoint_save_seconds", "from snapshot to verified", buckets=_SAVE_BUCKETS, registry=registry)
        self.restore = gauge("checkpoint_restore_seconds", "what this start's restore took")
        self.depth = gauge("checkpoint_fallback_depth", "finished checkpoints that this start passed over")
        self.failures = counter("checkpoint_failures", "saves that a store did not take", "store")
        self.damaged = gauge("checkpoints_damaged", "kept checkpoints found damaged at the last save", "store")
        self.verified_step = gauge("checkpoint_verified_step", "step of the newest verified checkpoint")
        self.verified_at = gauge("checkpoint_verified_timestamp_seconds", "when it was taken; 0: there is none")
        gauge("checkpoint_verified_age_seconds", "its age; +Inf: there is none").set_function(self.age_s)
        self.quarantined = counter("batches_quarantined", "batches set aside by the guard")
        self.backlog = gauge("ledger_backlog_rows", "rows of the ledger that are not durable yet")
        self.dropped = gauge("tracking_dropped", "metrics that the tracking server did not take")
        gauge("restarts", "restarts of the ranks so far").set(place.restart)
        gauge("restarts_left", "restarts that torchrun has left").set(place.max_restarts - place.restart)
        self._verified_s = 0.0

    def serve(self, port: int) -> None:
        """Answer scrapes on this port."""
        start_http_server(port, registry=self.registry)

    def age_s(self) -> float:
        """Return the age of the newest verified checkpoint in seconds."""
        return time.time() - self._verified_s if self._verified_s else math.inf

    def resumed(self, resumed: Resumed) -> None:
        """Note where this start went on."""
        self.restore.set(resumed.seconds)
        self.depth.set(resumed.depth)
        if resumed.name is not None:
            self._verified(resumed.name.step, resumed.created_ns)
            self.step.set(resumed.name.step)

    def stepped(self, step: int, samples: int, seconds: float, loss: float, pulses: Sequence[Pulse]) -> None:
        """Note a step over ``samples`` samples of all ranks."""
        self.step.set(step)
        self.steps.inc()
        self.samples.inc(samples)
        self.step_seconds.observe(seconds)
        self.rate.set(samples / seconds if seconds else math.inf)
        self.loss.set(loss)
        for rank, pulse in enumerate(pulses):
            self.compute.labels(str(rank)).set(pulse.compute_s)

    def saved(self, outcome: SaveOutcome) -> None:
        """Note what a save came to."""
        for store in outcome.stores:
            if store.problem:
                self.failures.labels(store.url).inc()
            self.damaged.labels(store.url).set(len(store.damaged))
        newest = max((s.newest_verified for s in outcome.stores if s.newest_verified), default=None)
        if newest is not None:
            self.saves.observe(outcome.seconds)
            self._verified(*newest)

    def _verified(self, step: int, created_ns: int) -> None:
        self._verified_s = created_ns / 1e9
        self.verified_at.set(self._verified_s)
        self.verified_step.set(step)
