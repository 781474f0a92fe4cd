"""``python -m bench.campaigns.orphaned``: the fault pod is killed while it holds a kubelet frozen and a node cut off, and who heals then.

Each trial silences one node of the embedded cluster for a few seconds by a real fault pod, waits until the kernel says that the kubelet is
stopped, kills the pod's program by SIGKILL (no trap runs, and the kubelet that would enforce ``activeDeadlineSeconds`` is itself frozen),
and measures when the kubelet runs and answers again. Nothing of the suite takes part in that. ``--write FILE`` publishes the table.
"""

from __future__ import annotations

import argparse
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
from pathlib import Path
from typing import Any

from kubernetes import client

from faults.mechanisms import fault_pod
from faults.mechanisms.fault_pod import FaultPod
from history.plan import ResolvedTarget
from kube.client import Platform, connect
from kube.objects import body as as_body
from target.target import load_target
from testing.platform.fake_cluster import ROOT

FOR_S, LATE_S, PATIENCE_S = 10.0, 2.0, 60.0  # the watchdog allows the program one second more than its time
PORT, POLL_S = 10250, 0.05
HEAD = """# The fault pod is killed while the kubelet is frozen

Written by `python -m bench.campaigns.orphaned --write docs/results/fault-pod-killed.md` on the embedded cluster.
A fault pod silences a node for {for_s:g} s
(kubelet stopped, all packets dropped) and is killed by SIGKILL after a moment: its trap does not run, and the kubelet, which would enforce
its deadline, is frozen. The kernel forgets the cut by itself, a watchdog outside the pod's control groups lets the kubelet go on. Times are
seconds after the fault acted; the deadline is {deadline:g} s ({for_s:g} s, and what the watchdog waits for the program that is no more).

| trial | node | killed | kubelet runs | kubelet answers | by the deadline |
|---|---|---|---|---|---|
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
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            arguments = (entry / "cmdline").read_text(errors="replace").split("\0") if entry.name.isdigit() else []
            if all(any(one == word or one.endswith(f"/{word}") for one in arguments) for word in words):
                found.append(int(entry.name))
    return found


def state(pid: int) -> str:
    """Return a process's state letter; T is stopped."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def until(condition: Callable[[], object]) -> float:
    """Wait until ``condition()`` is true; return when that was (monotonic). Raises TimeoutError."""
    end = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {PATIENCE_S:g} s")
        time.sleep(POLL_S)
    return time.monotonic()


def answers(address: str) -> bool:
    """Tell whether the kubelet at ``address`` takes a connection."""
    with contextlib.suppress(OSError), socket.create_connection((address, PORT), timeout=0.3):
        return True
    return False


def trial(platform: Platform, numbered: tuple[int, Any], wait_s: float) -> Row:
    """Carry out one trial on a node."""
    number, node = numbered
    name, address = node.metadata.name, next(one.address for one in node.status.addresses if one.type == "InternalIP")
    target = ResolvedTarget(kind="Node", name=name, uid=node.metadata.uid, node=name)
    body: dict[str, Any] = fault_pod.manifest(
        platform.target.suite_image,
        f"orphaned-{os.getpid()}-{number}",
        "bench",
        FaultPod(target, name, ("silence",), FOR_S),
        time.time() + 30,
    )
    pod, mark = body["metadata"]["name"], body["spec"]["containers"][0]["command"][-1]
    platform.core.create_namespaced_pod(platform.target.suite_namespace, as_body(client.V1Pod, body))
    fault_pod.armed(platform, pod)
    [kubelet] = processes("kubelet", f"--hostname-override={name}")
    acted_s = until(lambda: state(kubelet) == "T")
    time.sleep(wait_s)
    program, watchdog = sorted(processes("faults.node_agent.main", mark))
    os.kill(program, signal.SIGKILL)
    killed_s = time.monotonic()
    if state(kubelet) != "T" or answers(address):
        raise RuntimeError(f"trial {number}: node {name} was not silent when its fault pod was killed")
    with ThreadPoolExecutor(2) as pool:
        runs, again = pool.map(until, (lambda: state(kubelet) != "T", lambda: answers(address)))
    until(lambda: watchdog not in processes("faults.node_agent.main", mark))
    platform.core.delete_namespaced_pod(pod, platform.target.suite_namespace, grace_period_seconds=0)
    return Row(name, killed_s - acted_s, runs - acted_s, again - acted_s)


def page(rows: list[Row]) -> str:
    """Return the table (Markdown)."""
    lines = [
        f"| {at} | {row.node} | {row.killed_s:.1f} | {row.runs_s:.1f} | {row.answers_s:.1f} | {'yes' if row.in_time else 'NO'} |"
        for at, row in enumerate(rows, 1)
    ]
    late = sum(not row.in_time for row in rows)
    said = f"\n{len(rows)} trials: {len(rows) - late} healed by the deadline, {late} not.\n"
    return HEAD.format(for_s=FOR_S, deadline=FOR_S + LATE_S) + "\n".join(lines) + "\n" + said


def main() -> int:
    """Run, print, publish; exit 1 if a node was not healed by the deadline."""
    parser = argparse.ArgumentParser(prog="python -m bench.campaigns.orphaned", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--trials", type=int, default=12)
    parser.add_argument("--write", type=Path, metavar="FILE", help="publish the table")
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
    text = page(rows)
    print(text)
    if options.write is not None:
        options.write.write_text(text)
    return int(not all(row.in_time for row in rows))


if __name__ == "__main__":
    sys.exit(main())
