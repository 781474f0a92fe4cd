"""Three replicas behind a balancer of connections, of which one is stopped for a while: what a load of users sees of it."""

from __future__ import annotations

import json
import os
import signal
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from history.budgets import Budgets
from history.connection_policy import ConnectionPolicy
from history.plan import ResolvedTarget
from history.reader import read_run
from history.result import Check, RunVerdict
from history.schema import EventKind
from history.workloads import Mix, Slo
from testing.histories.edits import EventRow, add_events, with_plan
from testing.load.load_runs import finish, scripted_server, start_load, write_load_plan
from testing.load.program import program
from verdict import judge

RATE_RPS, SERVICE_MS, RATIO, SLO_S = 15.0, 80, 0.95, 0.5
BASELINE_S, FROZEN_S, REST_S = 7.0, 4.8, 3.5
ROLE = "inference"


@dataclass(frozen=True, slots=True)
class Frozen:
    """What was measured, and the truth (s): from SIGSTOP to SIGCONT."""

    verdict: RunVerdict
    truth_s: float

    @property
    def exposure(self) -> Check:
        """The check whether requests met the frozen replica."""
        return next(check for check in self.verdict.checks if check.name == "exposure")

    @property
    def rto_s(self) -> float | None:
        """The RTO that was measured (s)."""
        found = self.verdict.measurement("rto")
        return None if found is None else found.value

    @property
    def bad(self) -> float | None:
        """Bad requests of the fault window."""
        found = self.verdict.measurement("requests_bad")
        return None if found is None else found.value


def freeze(folder: Path, connections: ConnectionPolicy) -> Frozen:
    """Offer 15 requests/s of 80 ms to three replicas and stop one of them for 4.8 s; judge what was recorded."""
    folder.mkdir(parents=True, exist_ok=True)
    horizon_s = BASELINE_S + FROZEN_S + REST_S
    with ExitStack() as stack:
        options = ("--service-ms", str(SERVICE_MS))
        servers = [stack.enter_context(scripted_server(folder / f"{number}.json", None, *options)) for number in range(3)]
        url = stack.enter_context(program("testing.load.tcp_balancer", *(str(server.port) for server in servers))).url
        load: dict[str, Any] = {"rate_rps": RATE_RPS, "timeout_s": 4.0, "mix": (Mix(weight=1, max_tokens=(2, 8)),)}
        slo = Slo(ratio=RATIO, latency_ms=SLO_S * 1e3)
        write_load_plan(folder, url, slo, horizon_s=horizon_s, connections=connections, **load)
        process = start_load(folder)
        assert process.stdout
        begin_ns = json.loads(process.stdout.readline())["origin_ns"]
        stopped_ns, continued_ns = _stopped(servers[1].pid, begin_ns)
        code, _, errors = finish(process)
        if code:
            raise RuntimeError(f"the load ended with exit code {code}: {errors}")
        pods = [f"scripted-{server.pid}" for server in servers]
    told = add_events(read_run(folder), _events(pods, begin_ns, stopped_ns, continued_ns + int((REST_S - 1) * 1e9)))
    aimed = (ResolvedTarget(kind="Pod", name=pods[1]),)
    fields = {"role": ROLE, "budgets": Budgets(rto_s=60), "experiment": {"fault": "fault"}, "timers": {"fault_s": FROZEN_S}}
    return Frozen(
        judge(with_plan(told, targets=aimed, **fields)),
        (continued_ns - stopped_ns) / 1e9,
    )


def _stopped(pid: int, begin_ns: int) -> tuple[int, int]:
    """Stop a process at the end of the baseline, and let it go on; return when (ns)."""
    time.sleep(max(0.0, begin_ns / 1e9 + BASELINE_S - time.time()))
    stopped_ns = time.time_ns()
    os.kill(pid, signal.SIGSTOP)
    try:
        time.sleep(FROZEN_S)
    finally:
        os.kill(pid, signal.SIGCONT)
    return stopped_ns, time.time_ns()


def _events(pods: list[str], begin_ns: int, fault_ns: int, heal_ns: int) -> list[EventRow]:
    """Return what runner and observer would have recorded."""
    return [
        *((begin_ns - 1, EventKind.POD_READY, pod, {"role": ROLE, "node": f"node-{pod}"}) for pod in pods),
        (begin_ns, EventKind.PHASE, "baseline", {}),
        (fault_ns - 1, EventKind.PHASE, "inject", {}),
        (fault_ns, EventKind.FAULT_START, "freeze", {"targets": [f"Pod/{pods[1]}"]}),
        (heal_ns, EventKind.HEAL_START, "", {}),
    ]
