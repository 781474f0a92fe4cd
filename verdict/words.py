"""Numbers as people read them, in sentences and on pages: one form for a duration, a share, a count."""

from __future__ import annotations

import math
from collections.abc import Iterable

NONE = "–"
"""What stands for a value that is not known."""


def number(value: float | None, digits: int = 3) -> str:
    """Return ``value`` with about ``digits`` significant digits, never an exponent: 0.034, 52.7, 1,234; unknown is a dash."""
    if value is None or not math.isfinite(value):
        return NONE
    if value == 0:
        return "0"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{min(decimals, 4)}f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text).replace("-", "−")


def seconds(value_s: float | None, digits: int = 3) -> str:
    """Return a duration: 0 s, 40 µs, 34 ms, 850 ms, 3.42 s, 94.1 s, 14 min 5 s, 2 h 5 min; unknown is a dash."""
    if value_s is None or not math.isfinite(value_s):
        return NONE
    size = abs(value_s)
    if size < 0.9995:
        return _fraction(value_s, digits)
    if size < 600:
        return f"{number(value_s, digits)} s"
    minutes, rest = divmod(round(size), 60)
    sign = "−" if value_s < 0 else ""
    if minutes < 120:
        return f"{sign}{minutes} min" + (f" {rest} s" if rest else "")
    return f"{sign}{minutes // 60} h" + (f" {minutes % 60} min" if minutes % 60 else "")


def interval(low_s: float, high_s: float | None) -> str:
    """Return between what a duration lies, with as many digits as keep the ends apart: ``3.19 s to 3.21 s``; ``> 3 s``: no upper end."""
    if high_s is None or not math.isfinite(high_s):
        return f"> {seconds(low_s)}"
    ends = next((ends for digits in range(3, 7) if (ends := _ends(low_s, high_s, digits))[0] != ends[1]), _ends(low_s, high_s, 3))
    return " to ".join(dict.fromkeys(ends))


def _ends(low_s: float, high_s: float, digits: int) -> tuple[str, str]:
    return seconds(low_s, digits), seconds(high_s, digits)


def _fraction(value_s: float, digits: int = 3) -> str:
    """Return a duration of less than a second."""
    size = abs(value_s)
    if size < 1e-6:
        return "less than 1 µs" if size else "0 s"
    return f"{number(value_s * 1e6, digits)} µs" if size < 1e-4 else f"{number(value_s * 1e3, digits)} ms"


def plain(value_s: float) -> str:
    """Return a budget as it was written: 60 s, 0.5 s, 90.5 s."""
    return f"{value_s:,.10g} s"


def percent(share: float | None) -> str:
    """Return a share with as many digits as keep it apart from 0 % and 100 %: 87.3 %, 99.95 %, 0.04 %; unknown is a dash."""
    if share is None or not math.isfinite(share):
        return NONE
    value = share * 100
    rest = min(abs(value), abs(100 - value))
    decimals = 1 if rest >= 1 or rest == 0 else min(4, 1 - math.floor(math.log10(rest)))
    text = f"{value:.{decimals}f}".rstrip("0").rstrip(".").replace("-", "−")
    return f"{'99.9999' if text == '100' and share < 1 else text} %"


def count(items: int, noun: str, plural: str | None = None) -> str:
    """Return ``1 request``, ``2,345 requests``."""
    return f"{items:,} {noun if items == 1 else plural or noun + 's'}"


def listed(names: Iterable[str], most: int = 4) -> str:
    """Return ``a, b and c``; beyond ``most`` names the rest is counted."""
    known = list(names)
    if len(known) > most:
        known = [*known[:most], f"{len(known) - most} more"]
    return known[0] if len(known) == 1 else f"{', '.join(known[:-1])} and {known[-1]}" if known else "none"
