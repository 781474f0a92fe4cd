"""Signals: one process of one pod is stopped or killed from an ephemeral container beside it (:mod:`kube.ephemeral`).

The container cannot be removed from the pod's spec again: the pod is replaced at the end.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from history.errors import FaultFailed, NoData
from kube import ephemeral
from kube.client import Platform, api_errors
from kube.disruption import budgets as disruption_budgets
from kube.objects import Pod
from kube.permissions import Permission, in_namespace
from target.role import Process
from target.suite_image import FAULT_PYTHON

SCRIPT = Path(__file__).parents[1] / "node_agent" / "signal_process.py"
START_S = 20.0  # for the kubelet to start the container and the signal to be sent
PREFIX = "aftershock-signal-"
WHICH = {"title": "AFTERSHOCK_TITLE", "listens": "AFTERSHOCK_LISTENS", "child_of": "AFTERSHOCK_CHILD_OF", "pick": "AFTERSHOCK_PICK"}
"""What a role says of its process besides its command line -> the variable by which the program is told."""
VARIABLES = ("AFTERSHOCK_PROCESS", "AFTERSHOCK_FOR_S", "AFTERSHOCK_SHARE", *WHICH.values())


def permissions(namespace: str) -> list[Permission]:
    """Return what signalling a process in ``namespace`` needs, and replacing the pod afterwards."""
    replacing = [*in_namespace(namespace, ("list", "pods"), ("create", "pods/eviction")), disruption_budgets.permission(namespace)]
    return [*ephemeral.permissions(namespace), *replacing]


def ephemeral_container(pod: Pod, container: str, image: str, process: Process, for_s: float, *, share: float = 1.0) -> dict[str, Any]:
    """Return the ephemeral container that signals the one process in ``container`` that ``process`` describes."""
    environment = {"AFTERSHOCK_PROCESS": process.match or "", "AFTERSHOCK_FOR_S": f"{for_s:g}", "AFTERSHOCK_SHARE": f"{share:g}"}
    environment |= {variable: str(value) for name, variable in WHICH.items() if (value := getattr(process, name)) not in {None, "only"}}
    return ephemeral.manifest(pod, container, PREFIX, ephemeral.Program(image, [FAULT_PYTHON, "-c", SCRIPT.read_text()], environment))


def signal_process(
    platform: Platform, pod: Pod, container: str, process: Process, for_s: float, *, share: float = 1.0
) -> dict[str, object]:
    """Add the ephemeral container to ``pod`` and wait until it has sent its first signal; return its own account of it.

    It kills the process (``for_s`` 0), or stops it for ``share`` of the time for ``for_s`` seconds.

    Raises:
        FaultFailed: it was not admitted, did not start within 20 s, or found no such process.

    """
    name, namespace = pod.metadata.name, pod.metadata.namespace
    added = ephemeral_container(pod, container, platform.target.suite.fault_image, process, for_s, share=share)
    try:
        with api_errors(f"pod {namespace}/{name}: add an ephemeral container", FaultFailed):
            ephemeral.add(platform, pod, added)
            return ephemeral.line_with(platform, pod, added["name"], "did", START_S)
    except NoData as error:
        why = f"no process was signalled in container {container}: {error}; correct the role's process"
        raise FaultFailed(f"pod {namespace}/{name}: {why}") from error
