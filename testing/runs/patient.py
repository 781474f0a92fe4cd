"""Sessions about the suite itself, not about how fast users are served: they must come out alike on a machine that is busy."""

from __future__ import annotations

from typing import Any

import yaml

from testing.platform.fake_cluster import ROOT
from testing.runs.real_sessions import Suite

ASKED = "no-replica-is-missing"


def patient(suite: Suite, name: str, hold: str = "30s") -> None:
    """Write the shipped experiment ``name`` for ``suite``; its hypothesis asks only for replicas, no machine exceeds its budget.

    ``hold``: for how long the run goes on after it has recovered, so that there is time to do something to it.
    """
    raw = yaml.safe_load((ROOT / "experiments" / f"{name}.yaml").read_text())["steady-state-hypothesis"]
    probes = [probe for probe in raw["probes"] if probe["name"] == ASKED]
    extension: dict[str, Any] = {"hold": hold}
    if not name.startswith("control/"):
        extension["budgets"] = {"rto": "10m"}
    suite.experiment(name, **{"steady-state-hypothesis": {"title": "every replica is ready", "probes": probes}}, extension=extension)
