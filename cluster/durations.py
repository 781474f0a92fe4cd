"""Durations as people write them: 90s, 2m, 1h, 500ms."""

import re

from cluster.errors import ClusterError

_UNIT_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_PATTERN = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")


def seconds(text: str) -> float:
    """Return the seconds that `text` names; raise ClusterError for anything but a number with one unit of ms, s, m, h."""
    match = _PATTERN.fullmatch(text.strip())
    if match is None or float(match[1]) == 0:
        raise ClusterError(f"{text!r} is not a duration: write a number above zero with a unit, for example 90s, 2m or 500ms.")
    return float(match[1]) * _UNIT_S[match[2]]
