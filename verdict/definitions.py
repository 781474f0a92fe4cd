"""Every definition, from the docstrings of the functions that measure: text and code can't drift apart."""

from __future__ import annotations

import inspect

from verdict.arrivals import scheduled_arrivals
from verdict.case import Case
from verdict.checks import after, before, budgets, offered, record, training
from verdict.clocks import clocks_of
from verdict.goodness import good_request
from verdict.measures import latency, ledgers, phases, platform, queue, requests, training_phases, training_pods, training_restore, users
from verdict.measures import training as of_training
from verdict.measures.registry import MEASURES, Measure
from verdict.outages import find_outages

MODULES = (users, requests, ledgers, latency, platform, phases, queue, of_training, training_restore, training_phases, training_pods)
"""The modules whose functions measure; importing them fills the registry, in this order."""

CHECKS = (
    record.history,
    offered.load,
    before.baseline,
    before.fault,
    before.evidence,
    budgets.rto,
    budgets.availability,
    budgets.rpo_requests,
    budgets.latency,
    budgets.capacity_rto,
    after.impact,
    after.hypothesis,
    after.heal,
    after.instruments,
    after.stopped,
    training.ledger,
    training.rpo_steps,
    training.rpo_samples,
    training.checkpoints,
    training.state,
    training.samples,
    training.writers,
)
SHARED = (users.rto, users.rto_resolution, platform.time_to_confirm, platform.time_to_detection)
"""What is measured of requests and of training jobs alike."""
TERMS = {"good request": good_request, "arrival": scheduled_arrivals, "user-visible outage": find_outages, "clock error": clocks_of}


def all_measures() -> tuple[Measure, ...]:
    """Return every measurement in the order in which people read them."""
    return tuple(sorted(MEASURES.values(), key=lambda m: [module.__name__ for module in MODULES].index(m.function.__module__)))


def measures_of(case: Case) -> tuple[Measure, ...]:
    """Return the measurements that fit what the run was driven by: requests, or a training job."""
    modules = {module.__name__ for module in (of_training, training_restore, training_phases, training_pods)}
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
