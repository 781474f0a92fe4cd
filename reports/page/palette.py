"""The page's colours. A drawing has those for the light as attributes, so that it shows them where a viewer forbids style sheets.

GitHub and Jenkins serve stored reports with ``style-src 'self'``, which switches style inside a page off, and mail clients know no named
colours. So ``#1c2330`` stands in the drawing, and the style sheet says what it is in the dark: ``[fill="#1c2330"] { fill: var(--ink) }``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

STYLE = Path(__file__).parent / "templates" / "style.css"
INKS = {"PASS": "pass-ink", "FAIL": "fail-ink", "INCONCLUSIVE": "inc-ink"}
OF_KIND = frozenset({"v-ink", "v-bg"})
"""Set anew by the class of a verdict: no colours of their own."""
_NAMED = re.compile(r"var\(--([a-z0-9-]+)\)")
_DECLARED = re.compile(r"--([a-z0-9-]+):\s*(#[0-9a-f]{3,6});")


@cache
def light() -> dict[str, str]:
    """Return the colours of the first ``:root`` of the style sheet: name without its dashes -> ``#rrggbb``."""
    return dict(_DECLARED.findall(STYLE.read_text(encoding="utf-8").partition("}")[0]))


@cache
def css() -> str:
    """Return the style sheet, with a rule for each colour of drawings, by which it follows the page into the dark."""
    return STYLE.read_text(encoding="utf-8") + "".join(f"{rule}\n" for rule in _rules())


def _rules() -> Iterator[str]:
    """Yield the rules; of names with one colour in the light, the first: they have one in the dark, too."""
    by_colour = {colour: name for name, colour in reversed(light().items()) if name not in OF_KIND}
    for colour, name in by_colour.items():
        yield from (f'[{paint}="{colour}"] {{ {paint}: var(--{name}); }}' for paint in ("fill", "stroke"))


def painted(markup: str) -> str:
    """Return ``markup`` with the light colour for every named one. Raises KeyError: the style sheet declares no such colour."""
    return _NAMED.sub(lambda match: light()[match[1]], markup)


def ink(kind: str) -> str:
    """Return the colour of the sign of a verdict, or of a reason why there is none."""
    return light()[INKS.get(kind, "none-ink")]
