"""Whether a label selector selects an object by its labels: as it stands in a query, or in another object."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from kubernetes.client import V1LabelSelector, V1LabelSelectorRequirement, V1NodeSelectorRequirement

from kube.objects import Pod

BETWEEN = re.compile(r",(?![^(]*\))")  # requirements, not the values of a set
OF_A_SET = re.compile(r"(?P<key>\S+)\s+(?P<how>in|notin)\s*\((?P<values>[^)]*)\)")

HOLDS: dict[str, Callable[[str | None, Sequence[str]], bool]] = {
    "In": lambda value, wanted: value in wanted,
    "NotIn": lambda value, wanted: value not in wanted,
    "Exists": lambda value, _: value is not None,
    "DoesNotExist": lambda value, _: value is None,
    "Gt": lambda value, wanted: value is not None and int(value) > int(wanted[0]),
    "Lt": lambda value, wanted: value is not None and int(value) < int(wanted[0]),
}


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


def selected(selector: V1LabelSelector | None, pod: Pod) -> bool:
    """Tell whether a label selector of an object selects a V1Pod; one that is left out selects nothing, an empty one everything."""
    labels = pod.metadata.labels or {}
    if selector is None or not (selector.match_labels or {}).items() <= labels.items():
        return False
    return all_hold(selector.match_expressions, labels)


def query_of(selector: V1LabelSelector | None) -> str:
    """Return a label selector of an object as it stands in a query: ``app=x,tier in (a,b),!old``."""
    wanted = [f"{key}={value}" for key, value in ((selector and selector.match_labels) or {}).items()]
    for one in (selector and selector.match_expressions) or []:
        values = f"({','.join(one.values or [])})"
        written = {"In": f"{one.key} in {values}", "NotIn": f"{one.key} notin {values}", "Exists": one.key, "DoesNotExist": f"!{one.key}"}
        wanted.append(written[one.operator])
    return ",".join(wanted)


def all_hold(expressions: Iterable[V1NodeSelectorRequirement | V1LabelSelectorRequirement] | None, values: Mapping[str, str]) -> bool:
    """Tell whether every requirement (a key, an operator such as ``In`` or ``Exists``, values) is met by ``values``."""
    return all(HOLDS[one.operator](values.get(one.key), one.values or []) for one in expressions or [])
