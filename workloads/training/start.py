"""How a rank comes up: stores, ranks, attempt, state, and its end, with exit codes that say why."""

import logging
import sys
from collections.abc import Sequence

import torch

from workloads.storage.errors import StorageError
from workloads.storage.store import Store
from workloads.training import model
from workloads.training.checkpoint import fence
from workloads.training.checkpoint import state as states
from workloads.training.checkpoint.resume import Resumed, resume
from workloads.training.checkpoint.saver import Saver
from workloads.training.checkpoint.state import State
from workloads.training.checkpoint.stores import open_stores, wait_for_a_store
from workloads.training.data import open_data
from workloads.training.errors import Fenced, RanksDiverged, RunRefused, StateNotFinite, TooManyQuarantined
from workloads.training.failpoints import Failpoints
from workloads.training.group import Group, RankPlace
from workloads.training.settings import Settings
from workloads.training.telemetry import ledger, tracking
from workloads.training.telemetry.metrics import Metrics
from workloads.training.telemetry.telemetry import Telemetry
from workloads.training.trainer import End, Trainer

EXIT_DONE, EXIT_FAILED, EXIT_REFUSED, EXIT_DIVERGED, EXIT_FENCED, EXIT_PREEMPTED = 0, 1, 2, 3, 4, 75


def train(settings: Settings, place: RankPlace) -> int:
    """Train as one rank among the others and return the exit code."""
    points = Failpoints(settings.failpoints, settings.failpoint_folder, place.rank, place.restart)
    stores = open_stores(settings, points)
    metrics = Metrics(place)
    if settings.metrics_port:
        metrics.serve(settings.metrics_port + place.local_rank)
    book = ledger.RankLedger(ledger.open_sink(settings.ledger, settings.run_id), settings.run_id, place.rank)
    tracker = tracking.open_tracker(settings.tracking if place.rank == 0 else "", inline=settings.tracking_inline)
    telemetry = Telemetry(settings, place, book, metrics, tracker)
    wait_for_a_store(stores, settings.store_wait_s)
    data = open_data(settings.data, settings.seed, verify=settings.verify)
    group = Group(place, settings.collective_timeout_s)
    attempt = group.from_first(lambda: fence.claim(stores, settings.run_id, settings.owner))
    state, resumed = _state(settings, place, group, stores)
    telemetry.started(attempt, resumed, state.step, len(data))
    saver = Saver(settings, group, stores, attempt, points)
    trainer = Trainer(settings, group, state, data=data, saver=saver, telemetry=telemetry, points=points)
    end = trainer.run()
    telemetry.ended(state.step, end.value)
    group.close()
    return EXIT_DONE if end is End.DONE else EXIT_PREEMPTED


def _state(settings: Settings, place: RankPlace, group: Group, stores: Sequence[Store]) -> tuple[State, Resumed]:
    net, optimizer = model.build(settings.seed, settings.width)
    states.seed_rank(settings.seed, place.rank)
    state = State(net, optimizer, torch.zeros(0, dtype=torch.float64), seed=settings.seed)
    if not settings.resume:  # the weakness: whatever was saved is left where it is
        return state, Resumed(None, "", 0, (), 0.0)
    return state, resume(settings, group, stores, state)


def explained(settings: Settings, place: RankPlace) -> int:
    """Train; turn the errors that have an exit code of their own into it, with one sentence on stderr."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format=f"%(asctime)s rank {place.rank}: %(message)s")
    codes = ((RunRefused, EXIT_REFUSED), (Fenced, EXIT_FENCED), ((RanksDiverged, StateNotFinite, TooManyQuarantined), EXIT_DIVERGED))
    try:
        return train(settings, place)
    except (RunRefused, Fenced, RanksDiverged, StateNotFinite, TooManyQuarantined, StorageError) as error:
        logging.getLogger("training").error(  # noqa: TRY400  the sentence says it all
            "%s: %s", type(error).__name__, error
        )
        return next((code for kind, code in codes if isinstance(error, kind)), EXIT_FAILED)
