"""The undisturbed run that a job's state and samples are compared with: of what decides what they are, and how it is made.

It is the same job without pauses and faults, run once and kept by the ledger's server under a name that says all that decides: the image
to the digest, the template and its environment, the ranks, and what a run sets of the data and the model.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runner.drivers.training.template import Template

DIGEST_EVERY = 5
"""Steps between the reference's digests: jobs whose interval and digests are multiples of it can be compared at each."""
DECIDING = ("TRAIN_STEPS", "TRAIN_BATCH", "TRAIN_SEED", "TRAIN_WIDTH", "TRAIN_DATA")
"""What the reference takes over of what a run sets; the rest is how the run protects itself, and what goes wrong in it."""
OF_POD = ("containers", "initContainers", "volumes", "nodeSelector", "runtimeClassName")
"""Parts of a pod that may change a result: what runs, with which data, on which hardware. How pods are spread over nodes does not."""
OWN_TRAINER = "workloads.training"
CODE = ("data", "group", "guard", "model", "checkpoint/state", "trainer")
WORKLOAD = Path(__file__).parents[3] / "workloads" / "training"


def reference_name(template: Template, ranks: int, image: str) -> str:
    """Return the name of the reference; ``image``: the digest of what the ranks run (as written, while nobody knows it)."""
    deciding = {
        "image": image or template.image,
        "ranks": ranks,
        "environment": dict(template.environment if template.own is None else template.own),
        "set by the run": {name: template.environment.get(name, "") for name in DECIDING},
        "template": _of_pod(template),
        "code": _own_code(template),
    }
    return f"reference-{hashlib.sha256(json.dumps(deciding, sort_keys=True).encode()).hexdigest()[:12]}"


def reference_settings(template: Template, ranks: int, *, one_pod: bool) -> dict[str, str]:
    """Return what the reference sets otherwise than its template: what the run decides, no pauses, and a digest every few steps."""
    settings = {name: template.environment[name] for name in DECIDING if name in template.environment}
    settings |= {"TRAIN_STEP_PAUSE_S": "0", "TRAIN_DIGEST_EVERY": str(DIGEST_EVERY), "TRAIN_INTERVAL": template.environment["TRAIN_STEPS"]}
    return settings | {"TRAIN_NODES": "1", "TRAIN_RANKS_PER_POD": str(ranks), "TRAIN_RENDEZVOUS": ""} if one_pod else settings


def _of_pod(template: Template) -> dict[str, Any]:
    pod: Mapping[str, Any] = template.pod
    parts = {name: pod[name] for name in OF_POD if name in pod}
    return parts | {"nodeAffinity": pod.get("affinity", {}).get("nodeAffinity")}


def _own_code(template: Template) -> str:
    """Return a digest of this project's trainer, if the template runs it: on the embedded cluster its code is no part of the image."""
    containers = template.pod["containers"]
    said = [word for one in containers for word in (*one.get("command", ()), *one.get("args", ()))]
    if not any(str(word).startswith(OWN_TRAINER) for word in said):
        return ""
    files = [WORKLOAD / f"{module}.py" for module in CODE]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files if file.exists())).hexdigest()
