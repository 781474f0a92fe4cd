"""Numbers as people read them in a sentence."""

from __future__ import annotations

from collections.abc import Iterable


def seconds(value_s: float) -> str:
    """Return a duration: 0 s, 40 µs, 34 ms, 3.42 s, 94.1 s, 1,234 s."""
    size = abs(value_s)
    if size == 0:
        return "0 s"
    if size < 1e-4:
        return f"{value_s * 1e6:.0f} µs" if size >= 1e-6 else "less than 1 µs"
    if size < 0.1:
        return f"{value_s * 1e3:.2g} ms" if size < 0.01 else f"{value_s * 1e3:.0f} ms"
    return f"{value_s:.2f} s" if size < 10 else f"{value_s:.1f} s" if size < 1000 else f"{value_s:,.0f} s"


def plain(value_s: float) -> str:
    """Return a budget as it was written: 60 s, 0.5 s, 90.5 s."""
    return f"{value_s:,.10g} s"


def percent(share: float) -> str:
    """Return a share with as many digits as keep it apart from 100 %: 87.3 %, 99.95 %, 99.9996 %."""
    for digits in (1, 2, 3, 4):
        text = f"{share:.{digits}%}"
        if share >= 1 or share < 0.99 or not text.startswith("100"):
            break
    else:
        text = "99.9999%"
    number = text[:-1]
    return f"{number.rstrip('0').rstrip('.') if '.' in number else number} %"


def count(number: int, noun: str, plural: str | None = None) -> str:
    """Return ``1 request``, ``2,345 requests``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def listed(names: Iterable[str], most: int = 4) -> str:
    """Return ``a, b and c``; beyond ``most`` names the rest is counted."""
    known = list(names)
    if len(known) > most:
        known = [*known[:most], f"{len(known) - most} more"]
    return known[0] if len(known) == 1 else f"{', '.join(known[:-1])} and {known[-1]}" if known else "none"
