"""Arranges a night of limited time: what fits, first that of which least is known any more; and says how long each experiment takes."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from history.errors import AftershockError
from runner.experiment.steady_state import for_target
from runner.plugin.items import ExperimentItem
from runner.plugin.minutes import S
from runner.plugin.session import KEY

if TYPE_CHECKING:
    from nights.order import Place
    from nights.record import Night
    from runner.plugin.session import Session


def arrange(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Order the selected experiments and leave out those that do not fit; say how long each takes, where nights are kept."""
    chaos = config.stash[KEY]
    ours = [item for item in items if isinstance(item, ExperimentItem) and not item.absent]
    asked = chaos.options.max_s is not None or (chaos.options.dry_run and chaos.options.nights)
    if not asked or chaos.target is None or not ours:
        return
    from nights.order import fitting, ordered  # noqa: PLC0415 - judging's libraries are loaded only where they are needed

    digests = {item.experiment.id: for_target(item.experiment, chaos.target).digest for item in ours}
    places = ordered(digests, _nights(chaos), chaos.target.name)
    chosen, left = fitting(places, chaos.options.trials, chaos.options.max_s or math.inf)
    chaos.run_s = {one.experiment: one.estimate.run_s for one in places}
    chaos.estimates = _lines(chosen, left, chaos.options.trials, chaos.options.max_s)
    if chaos.options.max_s is not None:
        _apply(config, items, ours, chosen, left)


def _apply(config: pytest.Config, items: list[pytest.Item], ours: list[ExperimentItem], chosen: list[Place], left: list[Place]) -> None:
    chaos, rank = config.stash[KEY], {one.experiment: place for place, one in enumerate(chosen)}
    out = [item for item in ours if item.experiment.id not in rank]
    why = {one.experiment: _left_out(one, chaos.options.trials, chaos.options.max_s or math.inf) for one in left}
    for item in out:
        entry = (item.experiment.id, item.experiment.document.title, why[item.experiment.id])
        chaos.no_time += [entry] if entry not in chaos.no_time else []  # one of several trials
    others = [item for item in items if item not in ours]
    kept = sorted((item for item in ours if item not in out), key=lambda item: (rank[item.experiment.id], item.request.trial))
    items[:] = [*others, *kept]
    if out:
        config.hook.pytest_deselected(items=out)


def _left_out(place: Place, trials: int, limit_s: float) -> str:
    takes = f"it takes about {place.estimate.run_s * trials / S:.1f} min"
    return f"left out by --chaos-max-minutes={limit_s / S:g}: {takes}, and others came first; {place.why}"


def _nights(chaos: Session) -> list[Night]:
    from nights.shelf import Shelf  # noqa: PLC0415 - likewise
    from nights.store.place import open_store  # noqa: PLC0415 - likewise

    try:
        return Shelf(open_store(chaos.options.nights, Path(chaos.options.root)), chaos.progress.line).nights()
    except AftershockError as error:
        chaos.progress.line(f"how long runs take is not known: {error}")
        return []


def _lines(chosen: list[Place], left: list[Place], trials: int, limit_s: float | None) -> list[str]:
    """Return how long each experiment takes, in the order in which a limited night runs them, and all together."""
    total_s = sum(one.estimate.run_s for one in chosen) * trials
    of = f" of {limit_s / S:g} min" if limit_s is not None else ""
    known = [one.estimate.gpu_s for one in chosen if one.estimate.gpu_s is not None]
    unknown = f", {len(chosen) - len(known)} not known" if len(known) < len(chosen) else ""
    gpus = f"; {sum(known) * trials / S:.1f} GPU-min{unknown}" if known else ""
    return [
        *(f"{_line(one, trials)}" for one in chosen),
        *(f"{_line(one, trials)}; left out" for one in left),
        f"in all about {total_s / S:.1f} min{of}{gpus}",
    ]


def _line(place: Place, trials: int) -> str:
    told = place.estimate
    known = f"mean of {told.nights} nights" if told.nights else "a guess, no night has run it"
    gpus = "" if told.gpu_s is None else f", {told.gpu_s * trials / S:.1f} GPU-min"
    return f"{place.experiment}: about {told.run_s * trials / S:.1f} min{gpus} ({known}); {place.why}"
