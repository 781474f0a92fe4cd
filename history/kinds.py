"""Kinds of workload: what drives a run. The set is open: who brings a driver names its kind, and registers checks and measures for it."""

from __future__ import annotations

REQUESTS = "requests"
TRAINING = "training"
ASYNC = "async"
EVERY = "every kind"
"""For checks and measures that fit whatever drives a run."""
_IN_WORDS = {REQUESTS: "requests", TRAINING: "a training job", ASYNC: "asynchronous jobs", EVERY: EVERY}


def in_words(kind: str) -> str:
    """Return a kind as a sentence names it."""
    return _IN_WORDS.get(kind, f"a workload of kind {kind!r}")
