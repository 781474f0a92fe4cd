"""Rows of the kill campaign and its kin as they are when all is well, for tests of their pages."""

from __future__ import annotations

from typing import Any

TRIAL: dict[str, Any] = {
    "number": 1, "commit": "a1", "family": "pod killed", "signal": "SIGKILL", "phase": "observe", "session": "run", "in_force": True,
    "struck": True, "refused": "", "alive": [], "alive_for_s": 0.0, "left_after_heal": [], "acknowledged_s": 0.1, "undone_s": 0.4,
}  # fmt: skip
SESSION: dict[str, Any] = {
    **TRIAL, "verdict": "INCONCLUSIVE", "sentence": "", "proven": True, "open": [], "traceback": False, "lasted_s": 31.0,
}  # fmt: skip
