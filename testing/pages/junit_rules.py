"""What readers of JUnit XML allow, in tables of our own: Jenkins' xUnit plugin (junit-10.xsd), Apache Ant (JUnit.xsd), and GitLab.

A pattern of ``children`` is matched against the tags of an element's children, each followed by a space.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from xml.etree import ElementTree as ET

ANY, NOT_EMPTY, WHOLE, DECIMAL = r"(?s).*", r"(?s).+", r"-?\d+", r"-?\d*\.?\d+"
MOST_BYTES = 30_000_000
"""Of one file, for GitLab."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What one element may have: attributes with the pattern of each, which of them it must have, children, text."""

    needs: Mapping[str, str] = field(default_factory=dict)
    may: Mapping[str, str] = field(default_factory=dict)
    children: str = ""
    text: bool = False


def _told(**needs: str) -> Rule:
    return Rule(needs, {name: ANY for name in ("type", "message") if name not in needs}, text=True)


_PROPERTIES = Rule(children="(property )*")
_OUTPUT = Rule(text=True)
JENKINS = {
    "testsuites": Rule(may={"name": ANY, "time": r"[\d.,]*", "tests": ANY, "failures": ANY, "errors": ANY}, children="(testsuite )*"),
    "testsuite": Rule(
        needs=dict.fromkeys(("name", "tests", "failures", "errors"), ANY),
        may=dict.fromkeys(("group", "skipped", "timestamp", "hostname", "id", "package", "file", "log", "url"), ANY) | {"time": r"[\d.,]*"},
        children="((testsuite|properties|testcase|system-out|system-err) )*",
    ),
    "testcase": Rule(
        needs={"name": ANY},
        may=dict.fromkeys(("time", "classname", "group"), ANY),
        children="((skipped|error|failure|rerunFailure|rerunError|flakyFailure|flakyError|system-out|system-err) )*",
    ),
    "failure": _told(), "error": _told(), "skipped": _told(),
    "properties": _PROPERTIES,
    "property": Rule({"name": ANY, "value": ANY}),
    "system-out": _OUTPUT, "system-err": _OUTPUT,
}  # fmt: skip
ANT = {
    "testsuites": Rule(children="(testsuite )*"),
    "testsuite": Rule(
        needs={
            "name": NOT_EMPTY, "hostname": NOT_EMPTY, "timestamp": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", "time": DECIMAL,
            "tests": WHOLE, "failures": WHOLE, "errors": WHOLE, "package": ANY, "id": WHOLE,
        },
        may={"skipped": WHOLE},
        children="properties (testcase )*system-out system-err ",
    ),
    "testcase": Rule({"name": ANY, "classname": ANY, "time": DECIMAL}, children="((skipped|error|failure) )?"),
    "failure": _told(type=ANY), "error": _told(type=ANY), "skipped": Rule(may={"message": ANY}, text=True),
    "properties": _PROPERTIES,
    "property": Rule({"name": NOT_EMPTY, "value": ANY}),
    "system-out": _OUTPUT, "system-err": _OUTPUT,
}  # fmt: skip


def mistakes(text: str, rules: Mapping[str, Rule]) -> list[str]:
    """Return what of a JUnit file its rules do not allow, in words."""
    root = ET.fromstring(text)  # noqa: S314 - our own file
    return [f"root {root.tag}"] * (root.tag not in {"testsuites", "testsuite"}) + [
        found for element in root.iter() for found in _of(element, rules)
    ]


def _of(element: ET.Element, rules: Mapping[str, Rule]) -> Iterator[str]:
    rule = rules.get(element.tag)
    if rule is None:
        yield f"{element.tag} is unknown"
        return
    yield from (f"{element.tag} has no {name}" for name in rule.needs if name not in element.attrib)
    for name, value in element.attrib.items():
        pattern = rule.needs.get(name) or rule.may.get(name)
        if pattern is None or not re.fullmatch(pattern, value):
            yield f"{element.tag} has {name}={value!r}"
    tags = "".join(f"{child.tag} " for child in element)
    if not re.fullmatch(rule.children, tags):
        yield f"{element.tag} has the children {tags}"
    if not rule.text and "".join([element.text or "", *(child.tail or "" for child in element)]).strip():
        yield f"{element.tag} has text"


def gitlab_mistakes(text: str) -> list[str]:
    """Return what GitLab would not show of a JUnit file: testcases that have the names of another one, all of a file that is too large."""
    root = ET.fromstring(text)  # noqa: S314 - our own file
    found = Counter((case.get("classname"), case.get("name")) for case in root.iter("testcase"))
    twice = [f"{name} stands {times} times" for name, times in found.items() if times > 1]
    return twice + [f"{len(text.encode())} bytes"] * (len(text.encode()) >= MOST_BYTES)
