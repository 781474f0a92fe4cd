"""The page's colours as ``style.css`` declares them for light, so that a drawing shows them where a viewer forbids style sheets.

GitHub and Jenkins serve stored reports with ``style-src 'self'``, which switches the page's own style sheet off. A colour ``var(--ink)`` of
a drawing would then be black, fills included; ``var(--ink, #1c2330)`` is what it would be in the light.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

STYLE = Path(__file__).parent / "templates" / "style.css"
INKS = {"PASS": "pass-ink", "FAIL": "fail-ink", "INCONCLUSIVE": "inc-ink"}
_NAMED = re.compile(r"var\(--([a-z0-9-]+)\)")
_DECLARED = re.compile(r"--([a-z0-9-]+):\s*(#[0-9a-f]{3,6});")


@cache
def light() -> dict[str, str]:
    """Return the colours of the first ``:root`` of the style sheet: name without its dashes -> ``#rrggbb``."""
    return dict(_DECLARED.findall(STYLE.read_text(encoding="utf-8").partition("}")[0]))


def painted(markup: str) -> str:
    """Return ``markup`` with the light colour behind every named one. Raises KeyError: the style sheet declares no such colour."""
    return _NAMED.sub(lambda match: f"var(--{match[1]}, {light()[match[1]]})", markup)


def ink(kind: str) -> str:
    """Return the colour of the sign of a verdict, or of a reason why there is none."""
    return f"var(--v-ink, {light()[INKS.get(kind, 'none-ink')]})"
