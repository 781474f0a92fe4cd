"""Moments and quantities as the pages write them, and text from a cluster made safe to print.

Escaping for HTML, SVG, XML and Markdown happens where each is written. :func:`clean` spells out what no escaping can
carry: control characters (ill-formed in XML), lone surrogates (not encodable), and invisible changes of direction.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from verdict.words import NONE, number, percent, seconds

_UNPRINTABLE = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\ufffe\uffff\ud800-\udfff]"
)


def clean(text: str) -> str:
    r"""Return ``text`` with everything unprintable written as ``\\x..`` or ``\\u....``; tabs and line ends stay."""
    return _UNPRINTABLE.sub(_escape, text.replace("\r\n", "\n"))


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def one_line(text: str, limit: int = 300) -> str:
    """Return ``text`` cleaned, on one line, cut at ``limit`` characters with a sign that it was cut."""
    line = " ".join(clean(text).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def at_seconds(value: float | None) -> str:
    """Return a moment relative to the fault: ``+12.4 s``, ``−3 s``."""
    if value is None:
        return NONE
    return "0 s" if value == 0 else ("+" if value > 0 else "") + seconds(value)


def quantity(value: float | None, unit: str) -> str:
    """Return ``value`` in ``unit`` as people write it: seconds and shares get their own forms, ``times`` is a multiple."""
    if value is None:
        return NONE
    if unit == "s":
        return seconds(value)
    if unit in {"ratio", "share"}:
        return percent(value)
    if unit == "times":
        return f"{number(value)} ×"
    return f"{number(value, 4)} {unit.removesuffix('s') if value == 1 else unit}".strip()


def bytes_of(size: int) -> str:
    """Return a file size: ``812 B``, ``4.1 KiB``, ``2.3 MiB``."""
    for unit, scale in (("MiB", 1 << 20), ("KiB", 1 << 10)):
        if size >= scale:
            return f"{number(size / scale, 2)} {unit}"
    return f"{size} B"


def iso(t_ns: int) -> str:
    """Return ns UTC as ISO 8601 with milliseconds."""
    return datetime.fromtimestamp(t_ns / 1e9, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def clock(moment: str | None, precise: bool = False) -> str:
    """Return an ISO time as ``2026-09-21 14:13:20 UTC``; ``precise`` gives the time of day with milliseconds only."""
    if moment is None:
        return NONE
    parsed = datetime.fromisoformat(moment)
    return parsed.strftime("%H:%M:%S.") + f"{parsed.microsecond // 1000:03d} UTC" if precise else parsed.strftime("%Y-%m-%d %H:%M:%S UTC")
