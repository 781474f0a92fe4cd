"""``heal`` ends what dead runs left and says so; ``status`` shows it; a living run is left alone."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from faults.mechanisms import fault_pod
from history.errors import UndoFailed
from kube.client import Platform
from runner.cleanup.cleanup import clean_up, status
from runner.drivers.requests import load_pod
from safety import reaper_job
from safety.leases import Leases
from safety.undo_journal import open_journal
from testing.platform.fake_cluster import NOW, pod
from testing.runs.runner_cluster import LOST as RUN
from testing.runs.runner_cluster import RunnerCluster, alive, cordoned


def dead_run(cluster: RunnerCluster, platform: Platform) -> None:
    """Leave everything that a killed run can: journal, cordon, expired lease, reaper, an ephemeral container."""
    open_journal(platform, RUN, "me@host:1", "serving/zone-lost").will_undo(cordoned(cluster))
    cordoned(cluster, "gpu-b", "a-run-without-journal")
    leases = Leases(cluster, "aftershock", f"{RUN}@host:1", lambda: NOW)
    leases.acquire(["aftershock-namespace-ml-serving"])
    labels: dict[str, Any] = {"name": "reaper", "labels": reaper_job.labels_of(RUN)}
    cluster.objects["job", "reaper"] = {"metadata": labels}
    signalled = cluster.pods["ml-serving", "inference-c"]
    signalled.spec.ephemeral_containers = yaml.safe_load("[{name: aftershock-signal-1}]")


def test_heal_ends_everything_says_what_it_did_and_does_it_once(cluster: RunnerCluster, platform: Platform) -> None:
    dead_run(cluster, platform)
    cleaned = clean_up(platform)
    assert not cleaned.failed
    assert not cluster.nodes["gpu-a"].spec.unschedulable
    assert not cluster.nodes["gpu-b"].spec.unschedulable
    assert not cluster.config_maps
    assert not cluster.leases
    assert not cluster.objects
    assert ("ml-serving", "inference-c") not in cluster.pods
    text = "\n".join(cleaned.lines())
    assert [part for part in ("gpu-a: uncordoned", "gpu-b: uncordoned", "journal", "lease", "reaper", "inference-c") if part in text] == [
        "gpu-a: uncordoned", "gpu-b: uncordoned", "journal", "lease", "reaper", "inference-c",
    ]  # fmt: skip
    assert clean_up(platform).lines()[0].startswith("nothing was left")


def test_heal_leaves_a_living_run_alone(cluster: RunnerCluster, platform: Platform) -> None:
    alive(cluster, platform)
    open_journal(platform, RUN, "me", "serving/zone-lost").will_undo(cordoned(cluster))
    assert clean_up(platform).lines() == [f"run {RUN} is alive: it is left alone and heals itself"]
    assert cluster.nodes["gpu-a"].spec.unschedulable


def own_pod(cluster: RunnerCluster, name: str, run_id: str, labels: dict[str, str]) -> None:
    made = pod(name, "gpu-a", namespace="aftershock")
    made.metadata.labels = labels | {fault_pod.RUN_LABEL: fault_pod.label_of(run_id)}
    cluster.pods["aftershock", name] = made


@pytest.mark.parametrize("labels", [fault_pod.MANAGED, load_pod.MANAGED], ids=["fault", "load"])
def test_own_pods_of_dead_runs_are_shown_and_removed_those_of_living_runs_stay(
    cluster: RunnerCluster, platform: Platform, labels: dict[str, str]
) -> None:
    alive(cluster, platform)
    own_pod(cluster, "aftershock-old", "a-dead-run", labels)
    own_pod(cluster, "aftershock-new", RUN, labels)
    assert "pod aftershock-old: of run a-dead-run" in status(platform)
    assert "pod aftershock/aftershock-old: gone" in clean_up(platform).lines()
    assert {name for namespace, name in cluster.pods if namespace == "aftershock"} == {"aftershock-new"}


def test_heal_says_what_it_could_not_do_and_goes_on(cluster: RunnerCluster, platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    dead_run(cluster, platform)
    monkeypatch.setattr("safety.undo.uncordon", lambda _platform, node, _run: (_ for _ in ()).throw(UndoFailed(f"{node}: forbidden")))
    cleaned = clean_up(platform)
    assert sorted(cleaned.failed) == ["gpu-a: forbidden", "gpu-b: forbidden"]
    assert cluster.config_maps, "a journal with something left stays"
    assert not cluster.leases


def test_status_shows_what_is_there(cluster: RunnerCluster, platform: Platform) -> None:
    assert status(platform) == ["no fault is active: no lease, no journal, no cordon, no reaper"]
    dead_run(cluster, platform)
    text = "\n".join(status(platform))
    for part in ("expired", "OPEN   uncordon gpu-a", "gpu-b: cordoned by run a-run-without-journal", "inference-c", f"reaper of run {RUN}"):
        assert part in text
