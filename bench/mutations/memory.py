"""One case without a cluster: the suite's own collection, preflight, phases and verdict, real load on a real server, the API in memory.

What only a cluster has is left out (leases, the reaper's Job, watches, Prometheus), and so are the cases that need it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from chaosk8s.pod import actions as chaosk8s_pods
from kubernetes import client

import runner.drivers.requests.load
from bench.common.in_memory import carried_out, prepared
from bench.comparison.false_passes.memory import target_for
from bench.mutations import probes
from bench.mutations.cases import Case
from bench.mutations.document import limits, write_files
from bench.mutations.names import BROKEN_LOAD
from bench.mutations.session import ROOT, Told, judged
from history.errors import AftershockError
from history.plan import Budgets, Load, Mix, Plan, Slo, Timers
from runner.drivers.requests import progress
from runner.experiment.experiment import Experiment, read_experiment
from runner.run.abort import conditions
from runner.run.abort.conditions import overdue
from runner.run.phases import baseline, confirm, heal, observe
from target.values import parse_duration
from testing.load.load_runs import scripted_server
from testing.load.scripted_server import write_prompts
from testing.platform.fake_cluster import FakeCluster, pod
from testing.runs.runner_parts import plan_of

MEMORY = "memory"
SEED, RATE_RPS, REFUSED = 7, 60.0, 11
TIMERS = Timers(baseline_s=1.0, hold_s=3.0, confirm_s=1.0, deadline_s=14.0, heal_s=2.0)
QUICK = (
    (baseline, {"PERIOD_S": 0.1, "WARM_S": 3.0}),
    (observe, {"PERIOD_S": 0.1, "HYPOTHESIS_S": 0.5}),
    (confirm, {"PERIOD_S": 0.05}),
    (heal, {"PERIOD_S": 0.1}),
    (progress, {"MARGIN_S": 0.3}),
    (conditions, {"HANGS_S": 1.0}),
)
"""How often phases look, and how long they wait for a first sight (s)."""


def possible(case: Case) -> bool:
    """Tell whether ``case`` needs no cluster: neither an ephemeral container nor Prometheus nor watches."""
    return not case.freeze and not case.queue and not case.watched


class Cluster(FakeCluster):
    """The API in memory, with a controller that replaces a deleted pod at once."""

    def __init__(self) -> None:
        super().__init__()
        self.made = 0
        self.sanitize_for_serialization = client.ApiClient().sanitize_for_serialization

    def delete_namespaced_pod(self, name: str, namespace: str, body: Any = None, **_: object) -> None:  # noqa: ANN401 - as in the API
        """Delete a pod; another takes its place."""
        gone = self.pods[namespace, name]
        super().delete_namespaced_pod(name, namespace, body)
        self.made += 1
        new = pod(f"{gone.metadata.labels['app']}-new-{self.made}", gone.spec.node_name, app=gone.metadata.labels["app"])
        self.pods[namespace, new.metadata.name] = new

    def list_namespaced_event(self, namespace: str, **_: object) -> Any:  # noqa: ANN401, ARG002, D102 - the API's own signature
        return SimpleNamespace(items=[])

    def read_namespaced_pod_log(self, name: str, namespace: str, **_: object) -> str:  # noqa: ARG002, D102 - the API's own signature
        return "no log in memory\n"


def run(case: Case, folder: Path) -> Told:
    """Carry out ``case``; its files and its run go to ``folder``."""
    return replace(_told(case, folder), where=MEMORY)


def _told(case: Case, folder: Path) -> Told:
    began_s = time.monotonic()
    probes.seen.clear()
    experiments, _ = write_files(case, folder, ROOT)
    with scripted_server(folder / "truth.json", [], "--clock", "start") as server:
        platform, run_dir = Cluster().platform(target_for(server.url, limits=limits())), folder / "run"
        try:
            experiment = read_experiment(experiments / "mutated.yaml", experiments)
            context, before = prepared(experiment, platform, run_dir, SEED, lambda: _plan(experiment, server.url, case, run_dir))
        except AftershockError as error:
            return judged(case, None, str(error), REFUSED, time.monotonic() - began_s)
        with _broken(case):
            verdict = carried_out(context, before, [overdue(context)], QUICK)
    return judged(case, verdict, "", int(verdict.verdict != "PASS"), time.monotonic() - began_s)


def _plan(experiment: Experiment, url: str, case: Case, run_dir: Path) -> Plan:
    load = Load(
        url=url,
        model="tiny",
        rate_rps=RATE_RPS,
        mix=(Mix(weight=1, max_tokens=(2, 8)),),
        prompts=str(write_prompts(run_dir / "prompts.jsonl")),
        in_flight_cap=case.target.get("in_flight_cap", 500),
        workers=case.target.get("workers", 1),
        timeout_s=3.0,
        horizon_s=60.0,
        seed=SEED,
    )
    hold_s = parse_duration(case.extension["hold"]) if "hold" in case.extension else TIMERS.hold_s
    written = experiment.settings.budgets
    budgets = Budgets(rto_s=written.rto, rpo_requests=written.rpo_requests, availability=written.availability)
    names = tuple(one.name for one in experiment.document.hypothesis.probes)
    timers = TIMERS.model_copy(update={"hold_s": hold_s})
    return plan_of(experiment, load=load, slo=Slo(ratio=0.95, latency_ms=400), hypothesis_probes=names, budgets=budgets, timers=timers)


@contextmanager
def _broken(case: Case) -> Iterator[None]:
    """Let chaosk8s act in memory too, and ``case`` have its broken load."""
    with ExitStack() as stack:
        stack.enter_context(patch.object(chaosk8s_pods.client, "CoreV1Api", lambda given: given))  # its calls end in memory too
        if case.load:
            stack.enter_context(patch.object(runner.drivers.requests.load, "COMMAND", ("-m", "bench.mutations.loads", "run")))
            stack.enter_context(patch.dict(os.environ, {BROKEN_LOAD: case.load}))
        yield
