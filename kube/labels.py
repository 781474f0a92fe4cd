"""Whether a label selector, as the API server reads it, selects an object by its labels."""

from __future__ import annotations

import re
from collections.abc import Mapping

BETWEEN = re.compile(r",(?![^(]*\))")  # requirements, not the values of a set
OF_A_SET = re.compile(r"(?P<key>\S+)\s+(?P<how>in|notin)\s*\((?P<values>[^)]*)\)")


def selects(selector: str, labels: Mapping[str, str]) -> bool:
    """Tell whether every requirement of ``selector`` (``app=x, tier in (a, b), !old``) is met by ``labels``."""
    return all(_met(part.strip(), labels) for part in BETWEEN.split(selector) if part.strip())


def _met(requirement: str, labels: Mapping[str, str]) -> bool:
    if of_set := OF_A_SET.fullmatch(requirement):
        values = {value.strip() for value in of_set["values"].split(",")}
        return (labels.get(of_set["key"]) in values) == (of_set["how"] == "in")
    key, unequal, value = requirement.partition("!=")
    if unequal:
        return labels.get(key.strip()) != value.strip()
    key, equal, value = requirement.replace("==", "=").partition("=")
    if equal:
        return labels.get(key.strip()) == value.strip()
    return requirement[1:].strip() not in labels if requirement.startswith("!") else requirement in labels
