"""Which experiments were at hand in a session, asked for or not, and why the target has nothing for some: the report shows all of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from history.errors import ConfigError
from runner.experiment.absence import why_skipped
from runner.experiment.experiment import Experiment, read_experiment
from target.target import Target

if TYPE_CHECKING:
    from reports import AtHand
    from runner.plugin.session import Session

SUFFIXES = ("*.yaml", "*.yml")


def at_hand(chaos: Session) -> tuple[AtHand, ...]:
    """Return every experiment of the session's folders, sorted: those that were collected, and those that a path left out."""
    read = dict(_left_out(chaos)) | chaos.at_hand
    return tuple(_known(one, chaos) for _, one in sorted(read.items()))


def _left_out(chaos: Session) -> Iterator[tuple[str, Experiment]]:
    """Read what was not collected because a path named other files; what cannot be read is an experiment of nobody's session."""
    seen = {experiment.located.path.resolve() for experiment in chaos.at_hand.values()}
    for folder in chaos.options.experiments:
        for file in sorted(file for suffix in SUFFIXES for file in folder.rglob(suffix)):
            if file.resolve() in seen:
                continue
            try:
                experiment = read_experiment(file, folder)
            except ConfigError:
                continue
            yield experiment.id, experiment


def _known(experiment: Experiment, chaos: Session) -> AtHand:
    from reports import AtHand  # noqa: PLC0415 - plotting libraries are loaded only when there is something to plot

    classes = chaos.target.workloads if chaos.target else {}
    return AtHand(
        id=experiment.id,
        title=experiment.document.title,
        tags=experiment.document.tags,
        workloads={name: classes[name].kind if name in classes else "" for name in experiment.settings.workloads},
        selected=experiment.id in chaos.selected,
        absent=_absent(experiment, chaos.target),
    )


def _absent(experiment: Experiment, target: Target | None) -> str:
    return why_skipped(experiment, target) if target else ""
