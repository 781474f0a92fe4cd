"""Target files and targets with other values for some keys, of the file or of its one region."""

from __future__ import annotations

import copy
import re
from typing import Any

from target.region import EMBEDDED, Region
from target.target import Target


def region_of(raw: dict[str, Any]) -> dict[str, Any]:
    """Return the one region of a parsed target file of schema 2."""
    (region,) = raw["regions"].values()
    return dict(region)


def changed(raw: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return a parsed target file of schema 2 with other values; a value of None is kept, as a key that says nothing.

    Of a context that is not an embedded cluster's, the embedded cluster's driver of the control plane is left out: it stops no other.
    The file's alerts are left out, too: most tests are not about them, and have no Prometheus that has their rules.
    """
    made = copy.deepcopy(raw)
    (region,) = made["regions"].values()
    region.pop("alerts", None)
    if not str(changes.get("context", EMBEDDED)).startswith(EMBEDDED):
        region.pop("control_plane", None)
    for key, value in changes.items():
        (region if key in Region.model_fields else made)[key] = value
    return made


def without_alerts(text: str) -> str:
    """Return the text of a target file without the alerts of its regions."""
    return re.sub(r"(?m)^ {4}alerts:\n(?: {5,}.*\n)+", "", text)


PATIENT_SLO = {"ratio": "95%", "latency": "3s", "ttft": "3s", "max_gap": "3s"}
"""What the embedded platform keeps on a busy machine, too."""


def unhurried(raw: dict[str, Any], rate_rps: float = 14) -> dict[str, Any]:
    """Return a parsed target file of schema 2 whose users ask less often and wait longer: for tests that are not about how fast it is.

    The embedded platform computes on the machine that tests it. What is asked of it here it can do when the machine is busy, too.
    """
    made = copy.deepcopy(raw)
    serving = made["workloads"]["realtime-inference"]
    serving["slo"] |= PATIENT_SLO
    serving["load"] |= {"rate_rps": rate_rps, "timeout": "10s"}
    return made


def in_region(target: Target, **changes: Any) -> Target:
    """Return ``target`` with other values of its one region."""
    name = target.only_region_name()
    return target.model_copy(update={"regions": {name: target.regions[name].model_copy(update=changes)}})
