"""Evidence about training data: what lies on the storage servers' disks, and who refused to train on them."""

from __future__ import annotations

import json

from history.errors import NoData
from history.plan import ResolvedTarget
from history.schema import EventKind
from kube import live
from kube.clients import told
from kube.inside import output_of
from probes.record import first_ns

FOLDER = "/data/objects/training/data"
FILE, RECORD = "dataset.safetensors", "dataset.json"
REFUSED = 2  # the exit code of a rank that will not train
SECOND_NS = 10**9  # the API server keeps no finer times


def damaged(activity: str, role: str) -> bool:
    """Tell whether, on every target's disk, the data differ from the SHA-256 that their record says. Raises NoData: they cannot be read."""
    return all(_differs(target, role) for target in live.require().targets_of(activity))


def _differs(target: ResolvedTarget, role: str) -> bool:
    found, _, record = _inside(target, role, f"sha256sum {FOLDER}/{FILE} && cat {FOLDER}/{RECORD}").partition("\n")
    try:
        return bool(found.split()[0] != json.loads(record)["body"]["files"][FILE]["sha256"])
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise NoData(f"pod {target.namespace}/{target.name}: {FOLDER} holds no data with a record: {record[-200:]!r}") from error


def refused(activity: str, role: str) -> bool:
    """Tell whether a container of ``role`` has ended since ``activity`` as one does that will not train. Raises NoData."""
    run, since_ns = live.require(), first_ns(EventKind.FAULT_START, activity)
    with told(f"read how containers of role {role} ended", NoData):
        pods = run.platform.pods(role)
    states = [state for pod in pods for one in pod.status.container_statuses or [] for state in (one.state, one.last_state) if state]
    ended = [state.terminated for state in states if state.terminated]
    return any(one.exit_code == REFUSED and one.finished_at.timestamp() * 1e9 + SECOND_NS > since_ns for one in ended)


def _inside(target: ResolvedTarget, role: str, line: str) -> str:
    run = live.require()
    container = run.platform.target.role(role).container
    if container is None:
        raise NoData(f"data on {target.name}: role {role} names no container")
    return output_of(run.platform, target.name, target.namespace or "", container, ["sh", "-c", line])
