"""One case without a cluster (:mod:`bench.common.in_memory`); the cases that need one are left out."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

from chaosk8s.pod import actions as chaosk8s_pods
from kubernetes import client

import runner.drivers.requests.load
from bench.common.in_memory import carried_out, prepared
from bench.common.memory_cluster import MemoryCluster, target_for
from bench.common.tables import ROOT
from bench.mutations import probes
from bench.mutations.cases import BROKEN_LOAD, MEMORY, Case
from bench.mutations.document import WINDOW_S, limits, write_files
from bench.mutations.session import Result, judged
from history.errors import AftershockError
from history.plan import Timers
from history.values import parse_duration
from history.workloads import Slo
from runner.experiment.experiment import read_experiment
from runner.run.abort.conditions import overdue
from testing.load.load_runs import scripted_server
from testing.platform.fake_cluster import pod

SLO = Slo(ratio=0.95, latency_ms=400)
TIMERS = Timers(baseline_s=1.0, hold_s=3.0, confirm_s=1.0, deadline_s=14.0, watch_s=WINDOW_S, heal_s=2.0)
LOAD = {"rate_rps": 60.0, "in_flight_cap": 500, "horizon_s": 60.0}


def possible(case: Case) -> bool:
    """Tell whether ``case`` needs no cluster: neither an ephemeral container nor Prometheus nor watches."""
    return not case.freeze and not case.queue and not case.watched


class Cluster(MemoryCluster):
    """The API in memory, with a controller that replaces a deleted pod at once."""

    def __init__(self) -> None:
        super().__init__()
        self.made = 0

    def delete_namespaced_pod(self, name: str, namespace: str, body: client.V1DeleteOptions | None = None, **_: object) -> None:
        """Delete a pod; another takes its place."""
        gone = self.pods[namespace, name]
        super().delete_namespaced_pod(name, namespace, body)
        self.made += 1
        app = (gone.metadata.labels or {})["app"]
        new = pod(f"{app}-new-{self.made}", gone.spec.node_name, app=app)
        self.pods[namespace, new.metadata.name] = new


def run(case: Case, folder: Path) -> Result:
    """Carry out ``case``; its files and its run go to ``folder``."""
    began_s = time.monotonic()
    probes.seen.clear()
    experiments, _ = write_files(case, folder, ROOT)
    timers = TIMERS.model_copy(update={"hold_s": parse_duration(case.extension["hold"])} if "hold" in case.extension else {})
    verdict, refusal, code = None, "", 11
    with scripted_server(folder / "truth.json", [], "--clock", "start") as server:
        platform = Cluster().platform(target_for(server.url, limits=limits()))
        try:
            experiment = read_experiment(experiments / "mutated.yaml", experiments)
            context, before = prepared(experiment, platform, folder / "run", load=LOAD | case.target, slo=SLO, timers=timers)
        except AftershockError as error:
            refusal = str(error)
        else:
            with _broken(case):
                verdict = carried_out(context, before, [overdue(context)])
            code = int(verdict.verdict != "PASS")
    return replace(judged(case, verdict, refusal, code, time.monotonic() - began_s), where=MEMORY)


@contextmanager
def _broken(case: Case) -> Iterator[None]:
    """Let chaosk8s act in memory too, and ``case`` have its broken load."""
    with ExitStack() as stack:
        stack.enter_context(patch.object(chaosk8s_pods.client, "CoreV1Api", lambda given: given))  # its calls end in memory too
        if case.load:
            stack.enter_context(patch.object(runner.drivers.requests.load, "COMMAND", ("-m", "bench.mutations.loads", "run")))
            stack.enter_context(patch.dict(os.environ, {BROKEN_LOAD: case.load}))
        yield
