"""Every definition, from the docstrings of the functions that measure: text and code can't drift apart."""

from __future__ import annotations

import inspect

from verdict.case import Case
from verdict.inputs.arrivals import scheduled_arrivals
from verdict.inputs.clocks import clocks_of
from verdict.inputs.goodness import good_request
from verdict.inputs.outages import find_outages
from verdict.requests import answers, checks_budgets, checks_load, latency, queue
from verdict.shared import checks_after, checks_before, checks_record, phases, platform, users
from verdict.shared.registry import MEASURES, Measure
from verdict.training import checks, goodput, pods, restore
from verdict.training import measures as of_training
from verdict.training import phases as training_phases

MODULES = (users, answers, latency, platform, phases, queue, of_training, goodput, restore, training_phases, pods)
"""The modules whose functions measure; importing them fills the registry, in this order."""

CHECKS = (
    checks_record.history,
    checks_load.load,
    checks_before.baseline,
    checks_before.fault,
    checks_before.evidence,
    checks_budgets.rto,
    checks_budgets.availability,
    checks_budgets.rpo_requests,
    checks_budgets.latency,
    checks_budgets.capacity_rto,
    checks_after.impact,
    checks_after.hypothesis,
    checks_after.heal,
    checks_after.instruments,
    checks_after.stopped,
    checks.ledger,
    checks.rpo_steps,
    checks.rpo_samples,
    checks.checkpoints,
    checks.state,
    checks.samples,
    checks.writers,
)
SHARED = (users.rto, users.rto_resolution, platform.time_to_confirm, platform.time_to_detection)
"""What is measured of requests and of training jobs alike."""
TERMS = {"good request": good_request, "arrival": scheduled_arrivals, "user-visible outage": find_outages, "clock error": clocks_of}


def all_measures() -> tuple[Measure, ...]:
    """Return every measurement in the order in which people read them."""
    return tuple(sorted(MEASURES.values(), key=lambda m: [module.__name__ for module in MODULES].index(m.function.__module__)))


def measures_of(case: Case) -> tuple[Measure, ...]:
    """Return the measurements that fit what the run was driven by: requests, or a training job."""
    modules = {module.__name__ for module in (of_training, goodput, restore, training_phases, pods)}
    of_job = {measure.name for measure in all_measures() if measure.function.__module__ in modules}
    shared = {function.__name__ for function in SHARED}
    if case.training is not None:
        return tuple(measure for measure in all_measures() if measure.name in of_job | shared)
    return tuple(measure for measure in all_measures() if measure.name not in of_job)


def definitions() -> list[tuple[str, str]]:
    """Return (name, definition) of the terms, of every measurement and of every check."""
    terms = [(name, _prose(inspect.getdoc(function) or "")) for name, function in TERMS.items()]
    measures = [(measure.name, _prose(measure.definition)) for measure in all_measures()]
    return terms + measures + [(f"check {check.__name__}", _prose(inspect.getdoc(check) or "")) for check in CHECKS]


def _prose(text: str) -> str:
    """Return a docstring without its list of arguments, its paragraphs unwrapped."""
    paragraphs = text.split("\n\nArgs:", maxsplit=1)[0].split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
