"""A real Alertmanager: it silences what a run breaks, never what the run judges, until somebody ends it or it expires."""

from __future__ import annotations

import shutil
import subprocess
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import requests

from safety.silence import begin_silence
from testing.platform.fake_cluster import FakeCluster, local_target
from testing.platform.fake_run import live_run
from testing.waiting import wait_for
from tests.processes.probes.test_alertmanager import PROGRAMS, free_address, running, shipped_says

pytestmark = pytest.mark.skipif(shutil.which(PROGRAMS[1]) is None, reason="Alertmanager is not installed: make build names its package")
ALERTS = {
    "Down": {"namespace": "ml-serving"},
    "PodRestarts": {"namespace": "ml-serving", "pod": "inference-a"},
    "OfOthers": {"namespace": "shop"},
    "Unlabelled": {},
}


def silenced(url: str) -> set[str]:
    """Return which alerts Alertmanager keeps back."""
    found = requests.get(f"{url}/api/v2/alerts", timeout=5).json()
    return {one["labels"]["alertname"] for one in found if one["status"]["state"] == "suppressed"}


def test_alerts_of_what_is_broken_are_kept_back_and_those_that_are_judged_are_not(tmp_path: Path) -> None:
    address = free_address()
    url = f"http://{address}"
    options = {"config.file": shipped_says(tmp_path, free_address()), "storage.path": tmp_path / "kept"}
    options |= {"web.listen-address": address, "cluster.listen-address": ""}
    alerts = {"rules": [{"rule": "Down", "roles": "inference"}], "silence": True}
    alerts |= {"receiver": {"listen": free_address(), "alertmanager": url}}
    with running(tmp_path, PROGRAMS[1], options, f"{url}/-/ready"):
        fired = [{"labels": {"alertname": name} | labels} for name, labels in ALERTS.items()]
        requests.post(f"{url}/api/v2/alerts", json=fired, timeout=5).raise_for_status()
        timers = SimpleNamespace(fault_s=20.0, confirm_s=30.0, deadline_s=100.0, heal_s=60.0)
        run = live_run(
            FakeCluster(), tmp_path, {}, on=local_target(alerts=alerts), timers=timers, workloads=(SimpleNamespace(role="inference"),)
        )
        cast("Any", run.plan).targets = ()
        (said,) = begin_silence(run, pauses_s=0.0)
        wait_for(lambda: silenced(url) == {"PodRestarts"}, "the run's alerts are silenced, and no other", 30)
        (made,) = requests.get(f"{url}/api/v2/silences", timeout=5).json()
        assert said.startswith(f"silence {made['id']}: ")
        assert datetime.fromisoformat(said.rpartition(" ")[2]) == datetime.fromisoformat(made["endsAt"])
        subprocess.run(["amtool", f"--alertmanager.url={url}", "silence", "expire", made["id"]], check=True, timeout=60)
        wait_for(lambda: not silenced(url), "nothing is silenced any more", 30)
    run.log.close()
