"""A fault pod that changes nothing, started on a node before a run: it pulls the image, and shows that one is admitted and able to act.

So the 45 s that a fault pod may take to start, later, are not spent on an image of several GB, and a refusal comes before any load.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from faults.mechanisms.fault_pod import ENDS, FaultPod, lines, manifest, name_of
from history.errors import AftershockError, FaultFailed, TargetRefused
from history.plan import ResolvedTarget
from kube.client import Platform, api_errors
from kube.containers import said_of
from kube.objects import Pod, body
from kube.wait import until
from safety import undo

PULL_S = 540.0  # for several GB; the pod's own deadline and the admission policy allow no more
POLL_S = 0.5
FOR_S = 0.1
NEVER = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "CreateContainerConfigError", "CreateContainerError")
Pause = Callable[[float], object]


def probe_nodes(platform: Platform, run_id: str, nodes: Iterable[str], pause: Pause = time.sleep) -> dict[str, float]:
    """Start a fault pod that changes nothing on each of ``nodes`` at once, wait until each is able to act, remove them all.

    Return for each node how long that took (s). ``pause(seconds)`` waits between two looks.

    Raises:
        TargetRefused: on some nodes none is admitted, started or able, with the reason of each.

    """
    names = sorted(set(nodes))
    if not names:
        return {}
    with ThreadPoolExecutor(len(names)) as pool:
        found = dict(zip(names, pool.map(lambda node: _probe(platform, run_id, node, pause), names), strict=True))
    wrong = [said for said in found.values() if isinstance(said, str)]
    if wrong:
        said = f"no fault pod can act on {len(wrong)} of {len(names)} nodes: {'; '.join(wrong)}; nothing was injected"
        raise TargetRefused(said, parts=tuple(wrong))
    return {node: took_s for node, took_s in found.items() if not isinstance(took_s, str)}


def _probe(platform: Platform, run_id: str, node: str, pause: Pause) -> float | str:
    """Return how long a fault pod took to be able to act on a node (s), or why it is not."""
    planned = FaultPod(_target(node), node, ("nothing",), FOR_S)
    name, begun_s = name_of(run_id, planned.target), time.monotonic()
    try:
        _create(platform, run_id, planned)
        try:
            _wait_able(platform, name, node, pause)
        finally:
            with api_errors(f"fault pod {name}", FaultFailed):
                undo.delete_pod(platform, name, platform.target.suite.namespace)
    except AftershockError as error:
        return str(error)
    return time.monotonic() - begun_s


def _target(node: str) -> ResolvedTarget:
    return ResolvedTarget(kind="Probe", name=node, uid=node, node=node, effect="nothing", ends=ENDS.format(for_s=FOR_S))


def _create(platform: Platform, run_id: str, planned: FaultPod) -> None:
    suite = platform.target.suite
    made = manifest(suite.fault_image, run_id, "preflight", planned, time.time() + PULL_S, start_s=PULL_S)
    with api_errors(f"make a fault pod on node {planned.node} in namespace {suite.namespace}", FaultFailed):
        platform.core.create_namespaced_pod(suite.namespace, body(Pod, made))


def _wait_able(platform: Platform, name: str, node: str, pause: Pause) -> None:
    """Wait until the program says that it could act. Raises FaultFailed: it refuses, cannot start, or not in time."""
    able = until(lambda: _is_able(platform, name, node), PULL_S, POLL_S, pause)
    if not able:
        raise FaultFailed(f"node {node}: fault pod {name} has not started within {PULL_S:g} s ({said_of(_read(platform, name))})")


def _is_able(platform: Platform, name: str, node: str) -> bool:
    heard: list[dict[str, Any]] = lines(platform, name)
    refused = next((str(line["refused"]) for line in heard if "refused" in line), "")
    if refused:
        raise FaultFailed(f"node {node}: {refused}")
    if any("armed" in line for line in heard):
        return True
    pod = _read(platform, name)
    said = said_of(pod)
    if pod.status.phase in {"Failed", "Succeeded"} or any(reason in said for reason in NEVER):
        raise FaultFailed(f"node {node}: the fault pod's container does not start ({said}); see image {platform.target.suite.fault_image}")
    return False


def _read(platform: Platform, name: str) -> Pod:
    with api_errors(f"look at fault pod {name}", FaultFailed):
        return platform.pod(name, platform.target.suite.namespace)
