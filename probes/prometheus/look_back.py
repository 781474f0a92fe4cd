"""How far an expression of PromQL looks back: what was right is in it for so long.

Ranges of nested subqueries add up, and so do offsets: https://prometheus.io/docs/prometheus/latest/querying/basics/#subquery. A name that a
recording rule writes looks back as far as that rule does.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from history.values import parse_duration
from probes.prometheus.reading_order import in_order
from probes.prometheus.rules import RECORDING, Rule

UNITS_S = {"w": 604_800.0, "d": 86_400.0, "y": 31_536_000.0}  # that Prometheus knows besides those of target files
PART = re.compile(r"(\d+)(ms|[smhdwy])")
NAMED = re.compile(r"""\{[^}]*__name__\s*=\s*["']([^"']+)["'][^}]*\}""")  # a selector that has the name among its labels
WORDS = re.compile(r""""(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`|#[^\n]*""")  # texts and comments
LABELS = re.compile(r"\{[^}]*\}|\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)")
TOKEN = re.compile(r"(?P<bracket>[()])|\[\s*(?P<range>\w+)\s*(?::\s*\w*\s*)?\]|\boffset\s+(?P<offset>\w+)|(?P<name>[a-zA-Z_:][\w:]*)")


def look_back_s(query: str, recorded: Mapping[str, float] | None = None) -> float:
    """Return how far an expression looks back at most (s); 0: it has no range. ``recorded``: that of names that rules record."""
    levels, last_s = [0.0], 0.0  # the most of each open bracket; that of what stands before the next range
    for token in _tokens(query):
        if token["bracket"] == "(":
            levels.append(0.0)
        elif token["bracket"] == ")":
            last_s = levels.pop() if len(levels) > 1 else last_s
        elif token["name"]:
            last_s = (recorded or {}).get(token["name"], 0.0)
        else:
            last_s += _seconds(token["range"] or token["offset"])
        levels[-1] = max(levels[-1], 0.0 if token["bracket"] == "(" else last_s)
    return max(levels)


def recorded_look_back_s(rules: Sequence[Rule]) -> dict[str, float]:
    """Return by the name that recording rules write how far it looks back (s): between two evaluations, and as its expression does.

    Of several rules of one name, the longest counts. What a rule reads of itself counts as nothing, for it has no end; of rules that read
    one another in a circle, each looks back as far as all of them together, at most.
    """
    of_name: defaultdict[str, list[Rule]] = defaultdict(list)
    for rule in rules:
        if rule.kind == RECORDING:
            of_name[rule.name].append(rule)
    reads = {name: {word for rule in own for word in _names(rule.query)} & of_name.keys() for name, own in of_name.items()}
    recorded: dict[str, float] = {}
    for group in in_order(reads):
        each_s = [max(rule.evaluation_s + look_back_s(rule.query, recorded) for rule in of_name[name]) for name in group]
        recorded |= dict.fromkeys(group, sum(each_s))
    return recorded


def _names(query: str) -> set[str]:
    return {token["name"] for token in _tokens(query) if token["name"]}


def _tokens(query: str) -> Iterator[re.Match[str]]:
    return TOKEN.finditer(LABELS.sub(" ", WORDS.sub('""', NAMED.sub(r" \1 ", query))))


def _seconds(written: str) -> float:
    if written.isdecimal():  # seconds, as newer versions allow
        return float(written)
    parts = PART.findall(written)
    return sum(float(number) * UNITS_S[unit] if unit in UNITS_S else parse_duration(f"{number}{unit}") for number, unit in parts)
