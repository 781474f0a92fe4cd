"""``python -m bench.campaigns.orphaned``: a fault pod is killed while it holds a kubelet frozen and a node cut off; who heals then.

Each trial silences one node of the embedded cluster for a few seconds by a real fault pod. It waits until the kernel says that the kubelet
is stopped. Then it kills the pod's program by SIGKILL: no trap runs, and the kubelet that would enforce ``activeDeadlineSeconds`` is itself
frozen. It measures when the kubelet runs and answers again. Nothing of the suite takes part in that. ``--write FILE`` publishes the table.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import psutil
from kubernetes import client

from bench.common import pages
from bench.common.tables import ROOT, circumstances
from faults.mechanisms import fault_pod
from faults.mechanisms.fault_pod import FaultPod
from history.plan import ResolvedTarget
from kube.client import Platform, connect
from kube.objects import body as as_body
from kube.wait import until
from target.target import load_target

FOR_S, LATE_S, PATIENCE_S = 10.0, 2.0, 60.0  # the watchdog allows the program one second more than its time
PORT, POLL_S = 10250, 0.05
MODULE = "bench.campaigns.orphaned"
HEAD = f"""On the embedded cluster, a fault pod silences a node for {FOR_S:g} s (kubelet stopped, all packets dropped).
It is killed by SIGKILL after a moment: its trap does not run, and the kubelet, which would enforce its deadline, is frozen.
The kernel forgets the cut by itself. A watchdog outside the pod's control groups lets the kubelet go on.
Times are seconds after the fault acted. The deadline is {FOR_S + LATE_S:g} s: {FOR_S:g} s, and what the watchdog waits for the program that
is no more.
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One trial; seconds after the fault acted."""

    node: str
    killed_s: float
    runs_s: float
    answers_s: float

    @property
    def in_time(self) -> bool:
        """Whether both were healed by the deadline."""
        return max(self.runs_s, self.answers_s) <= FOR_S + LATE_S


def processes(*words: str) -> list[int]:
    """Return the processes of this machine whose arguments are or begin with ``words``: the embedded cluster's nodes are namespaces."""
    running = ((process.pid, process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"]))
    return [pid for pid, words_of in running if all(any(text == word or text.endswith(f"/{word}") for text in words_of) for word in words)]


def stopped(pid: int) -> bool:
    """Tell whether a process is stopped by a signal."""
    return psutil.Process(pid).status() == psutil.STATUS_STOPPED


def when(condition: Callable[[], bool]) -> float:
    """Wait until ``condition`` holds; return when that was (monotonic). Raises TimeoutError."""
    if not until(condition, PATIENCE_S, POLL_S):
        raise TimeoutError(f"not within {PATIENCE_S:g} s")
    return time.monotonic()


def answers(address: str) -> bool:
    """Tell whether the kubelet at ``address`` takes a connection."""
    with contextlib.suppress(OSError), socket.create_connection((address, PORT), timeout=0.3):
        return True
    return False


def trial(platform: Platform, numbered: tuple[int, Any], wait_s: float) -> Row:
    """Carry out one trial on a node."""
    number, node = numbered
    name, address = node.metadata.name, next(known.address for known in node.status.addresses if known.type == "InternalIP")
    target = ResolvedTarget(kind="Node", name=name, uid=node.metadata.uid, node=name)
    body: dict[str, Any] = fault_pod.manifest(
        platform.target.suite.fault_image,
        f"orphaned-{os.getpid()}-{number}",
        "bench",
        FaultPod(target, name, ("silence",), FOR_S),
        time.time() + 30,
    )
    pod, mark = body["metadata"]["name"], body["spec"]["containers"][0]["command"][-1]
    platform.core.create_namespaced_pod(platform.target.suite.namespace, as_body(client.V1Pod, body))
    fault_pod.armed(platform, pod)
    [kubelet] = processes("kubelet", f"--hostname-override={name}")
    acted_s = when(lambda: stopped(kubelet))
    time.sleep(wait_s)
    program, watchdog = sorted(processes("faults.node_agent.main", mark))
    os.kill(program, signal.SIGKILL)
    killed_s = time.monotonic()
    if not stopped(kubelet) or answers(address):
        raise RuntimeError(f"trial {number}: node {name} was not silent when its fault pod was killed")
    with ThreadPoolExecutor(2) as pool:
        runs, again = pool.map(when, (lambda: not stopped(kubelet), lambda: answers(address)))
    when(lambda: watchdog not in processes("faults.node_agent.main", mark))
    platform.core.delete_namespaced_pod(pod, platform.target.suite.namespace, grace_period_seconds=0)
    return Row(name, killed_s - acted_s, runs - acted_s, again - acted_s)


def page(rows: list[Row]) -> str:
    """Return the table (Markdown)."""
    heads = ("trial", "node", "killed", "kubelet runs", "kubelet answers", "by the deadline")
    lines = [
        (at, row.node, *(f"{time_s:.1f}" for time_s in (row.killed_s, row.runs_s, row.answers_s)), "yes" if row.in_time else "NO")
        for at, row in enumerate(rows, 1)
    ]
    late = sum(not row.in_time for row in rows)
    sentence = f"{len(rows)} trials: {len(rows) - late} healed by the deadline, {late} not."
    command = f"python -m {MODULE} --write docs/results/fault-pod-killed.md"
    return pages.page(
        "The fault pod is killed while the kubelet is frozen", command, [circumstances()], HEAD, pages.table(heads, lines), sentence
    )


def main() -> int:
    """Run, print, publish; exit 1 if a node was not healed by the deadline."""
    parser = pages.parser_of(MODULE, __doc__)
    parser.add_argument("--trials", type=int, default=12)
    options = parser.parse_args()
    platform = connect(load_target(ROOT / "targets" / "local.yaml"))
    nodes = [node for node in platform.nodes() if node.metadata.name != "cpu-a"]  # the instruments' node
    rows: list[Row] = []
    while len(rows) < options.trials:
        at = len(rows)
        chosen = list(enumerate(nodes[: min(3, options.trials - at)], at))
        with ThreadPoolExecutor(len(chosen)) as pool:
            rows += pool.map(partial(trial, platform, wait_s=0.5 + at % 5), chosen)
        nodes = nodes[3:] + nodes[:3]
        print(f"{len(rows)} of {options.trials}", flush=True)
    pages.publish(page(rows), options.write)
    return int(not all(row.in_time for row in rows))


if __name__ == "__main__":
    sys.exit(main())
