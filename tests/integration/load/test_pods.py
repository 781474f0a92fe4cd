"""Load workers as pods of the embedded platform, against its gateway: started by the same process, merged into one history."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pytest

from faults.mechanisms.fault_pod import RUN_LABEL
from history.reader import read_run
from history.result import Verdict
from kube.client import Platform, connect
from runner.drivers.requests import load_pod
from runner.drivers.requests.load import LoadProcess
from target.target import load_target
from testing.load.load_runs import rows_written, write_load_plan
from testing.load.program import ROOT
from testing.waiting import wait_for
from verdict.case import case_of
from verdict.inputs.load_audit import LoadAudit
from verdict.shared.checks_record import history

pytestmark = pytest.mark.integration
LOAD = {"model": "aftershock-ring", "rate_rps": 10.0, "horizon_s": 300.0, "timeout_s": 10.0, "workers": 2, "workers_as": "pods"}


@pytest.fixture(scope="module")
def platform() -> Platform:
    return connect(load_target(ROOT / "targets" / "local.yaml"))


@contextmanager
def load_in_pods(platform: Platform, run_dir: Path) -> Iterator[LoadProcess]:
    """A load of two pods; each has sent some rows."""
    prompts = str(ROOT / "workloads" / "inference" / "prompts.jsonl")
    plan = write_load_plan(run_dir, "http://gateway.ml-serving.svc", prompts=prompts, **LOAD)
    load = LoadProcess(run_dir, plan.requests.load, platform.target)
    try:
        load.wait_ready()
        wait_for(lambda: rows_written(run_dir) > 20 and len(list(run_dir.glob("requests.*"))) == 2, "rows of both workers")
        yield load
    finally:
        load.end()


def pods_of(platform: Platform, run_id: str) -> list[str]:
    found = platform.core.list_namespaced_pod(platform.target.suite.namespace, label_selector=f"{RUN_LABEL}={run_id}").items
    return [pod.metadata.name for pod in found if pod.metadata.deletion_timestamp is None]


def test_two_pods_are_one_load_with_one_history(platform: Platform, tmp_path: Path) -> None:
    with load_in_pods(platform, tmp_path) as load:
        assert load.end() == ""
    run = read_run(tmp_path)
    case = case_of(run)
    assert run.requests["request_id"].is_unique().all()
    assert dict(run.requests.group_by("worker").len().rows()).keys() == {"load-0", "load-1"}
    assert run.requests.filter(pl.col("outcome") == "ok").height > 0
    assert audited(case.audit) == (2, 2, 2, 0, float(run.requests.height))
    assert case.clocks.elsewhere == ("load-0", "load-1")
    assert history(case).verdict is Verdict.PASS, history(case).sentence
    wait_for(lambda: not pods_of(platform, run.plan.run_id), "no pod is left")


def audited(audit: LoadAudit) -> tuple[int, int, int, int, float | None]:
    return audit.started, audit.stopped, audit.audited, audit.summary.holes, audit.claimed_rows


def test_a_pod_that_is_lost_ends_the_load_with_a_sentence(platform: Platform, tmp_path: Path) -> None:
    with load_in_pods(platform, tmp_path) as load:
        lost = load_pod.name_of("run-under-test", 1)
        platform.core.delete_namespaced_pod(lost, platform.target.suite.namespace, grace_period_seconds=0)
        wait_for(lambda: bool(load.failure()), "the load's end")
        assert f"load pod {lost} of worker 1 was lost: " in load.failure()
