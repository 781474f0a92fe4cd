"""What faults and their evidence know of a queue of asynchronous inference: its streams in Redis, and what a poison message names."""

from __future__ import annotations

QUEUE, DEAD = "jobs:queue", "jobs:dead"


def poison_id(run_id: str, number: int) -> str:
    """Return the id that a poison message of a run names; there is no job of this id."""
    return f"{poison_mark(run_id)}{number}"


def poison_mark(run_id: str) -> str:
    """Return what the ids of all poison messages of a run begin with."""
    return f"poison-{run_id}-"
