"""The suite's own code that decides what a run shows: its faults and its verdicts, as digests.

A run's plan says them among its versions. A difference is said beside whatever is compared, and makes no night incomparable: most changes
of the suite change no measurement, and a suite that is brought up to date must not be blind for five nights. A claim is stricter: what
other code has proven is to be proven again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

PARTS = ("faults", "verdict")
DIGITS = 12
ROOT = Path(__file__).resolve().parent.parent


def suite_code(root: Path = ROOT) -> dict[str, str]:
    """Return the digest of each part, by its name among versions."""
    return {name_of(part): _digest(root / part) for part in PARTS}


def name_of(part: str) -> str:
    """Return what the digest of ``part`` is called among versions."""
    return f"suite's {part}/"


NAMES = tuple(name_of(part) for part in PARTS)


def _digest(folder: Path) -> str:
    """Return the digest of the Python files of a folder, by name and content."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(folder).as_posix()} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:DIGITS]


def code_changed(now: Mapping[str, str], then: Mapping[str, str]) -> tuple[str, ...]:
    """Return the parts of the suite (``verdict/``) that are others, by the versions of two runs; of what one does not say, none."""
    return tuple(f"{part}/" for part in PARTS if (name := name_of(part)) in now and name in then and now[name] != then[name])
