"""Every definition, from the docstrings of the functions that measure: text and code can't drift apart."""

from __future__ import annotations

import inspect
from collections.abc import Iterable

from history.kinds import in_words
from verdict.inputs.arrivals import scheduled_arrivals
from verdict.inputs.clocks import clocks_of
from verdict.inputs.goodness import good_request
from verdict.inputs.outages import find_outages
from verdict.registered import all_checks, all_measures
from verdict.shared.registry import CheckSpec, Measure

TERMS = {"good request": good_request, "arrival": scheduled_arrivals, "user-visible outage": find_outages, "clock error": clocks_of}


def definitions() -> list[tuple[str, str]]:
    """Return (name, definition) of the terms, of every measurement and of every check, each name once."""
    terms = [(name, _prose(inspect.getdoc(function) or "")) for name, function in TERMS.items()]
    return terms + _each_once(all_measures()) + [(f"check {name}", text) for name, text in _each_once(all_checks())]


def _each_once(known: Iterable[Measure | CheckSpec]) -> list[tuple[str, str]]:
    """Return (name, definition); a name that several kinds of workload have is defined for each of them."""
    found: dict[str, dict[str, str]] = {}
    for one in known:
        found.setdefault(one.name, {})[one.kind] = _prose(one.definition)
    return [
        (name, "\n\n".join(text if len(texts) == 1 else f"Of {in_words(kind)}: {text}" for kind, text in texts.items()))
        for name, texts in found.items()
    ]


def _prose(text: str) -> str:
    """Return a docstring without its list of arguments, its paragraphs unwrapped."""
    paragraphs = text.split("\n\nArgs:", maxsplit=1)[0].split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
