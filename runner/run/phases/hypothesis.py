"""Evaluating the steady-state hypothesis: every probe, every time, each evaluation in the history; nothing seen is never met."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from history.schema import EventKind
from runner.experiment.format import described
from runner.run.context import Context
from runner.run.phases.activities import execute, shown, tolerated


@dataclass(frozen=True, slots=True)
class Steady:
    """One evaluation of all probes. ``unmet`` are sentences of probes outside their tolerance, ``no_data`` of those that saw nothing."""

    unmet: tuple[str, ...]
    no_data: tuple[str, ...]
    entry: dict[str, object]  # for Chaos Toolkit's journal

    @property
    def met(self) -> bool:
        """Whether every probe lies within its tolerance."""
        return not self.unmet and not self.no_data

    @property
    def sentence(self) -> str:
        """What does not hold."""
        return "; ".join(self.unmet + self.no_data)


def evaluate(context: Context, phase: str) -> Steady:
    """Evaluate every probe of the hypothesis once. ``phase`` is what the history calls this evaluation."""
    unmet: list[str] = []
    no_data: list[str] = []
    entries: list[dict[str, Any]] = []
    for probe in context.experiment.raw["steady-state-hypothesis"]["probes"]:
        result = execute(probe, context.configuration)
        met = tolerated(result, probe, context.configuration)
        sentence = result.sentence if met else f"{result.sentence}; expected {described(probe['tolerance'])}"
        value = result.value if result.value is None or isinstance(result.value, bool | int | float | str) else shown(result.value)
        log, no_value = context.log, result.no_data
        log.event(EventKind.HYPOTHESIS, result.name, phase=phase, met=met, value=value, no_data=no_value, sentence=sentence)
        entries.append(result.entry | {"tolerance_met": met})
        if not met:
            (no_data if result.no_data else unmet).append(sentence)
    return Steady(tuple(unmet), tuple(no_data), {"steady_state_met": not unmet and not no_data, "probes": entries})
