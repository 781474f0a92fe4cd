"""Sessions about the suite itself, not about how fast users are served: they must come out alike on a machine that is busy."""

from __future__ import annotations

from typing import Any

from testing.runs.real_sessions import Suite

ASKED: dict[str, Any] = {
    "type": "probe",
    "name": "no-replica-is-missing",
    "tolerance": 0,
    "provider": {"type": "python", "module": "probes.replicas", "func": "missing", "arguments": {"role": "inference"}},
}


def patient(suite: Suite, name: str, hold: str = "30s") -> None:
    """Write the shipped experiment ``name`` for ``suite``; its hypothesis asks only for replicas, no machine exceeds its budget.

    ``hold``: for how long the run goes on after it has recovered, so that there is time to do something to it.
    """
    extension: dict[str, Any] = {"hold": hold, "deadline": "11m"}
    if not name.startswith("control/"):
        extension["budgets"] = {"rto": "10m"}
    suite.experiment(name, **{"steady-state-hypothesis": {"title": "every replica is ready", "probes": [ASKED]}}, extension=extension)
