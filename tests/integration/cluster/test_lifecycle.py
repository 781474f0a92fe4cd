"""Clusters side by side, and what is left of one that is gone: nothing."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from testing.platform.cluster_driver import ROOT, Cluster
from testing.waiting import wait_for

LOCAL = Cluster("local")


def test_two_clusters_stand_side_by_side(probe: Cluster) -> None:
    here, there = probe.status(), LOCAL.status()
    assert here["api_ready"]
    assert there["api_ready"], "cluster local does not answer: `make up` first"
    assert here["server"] != there["server"]
    assert not {n["address"] for n in here["nodes"]} & {n["address"] for n in there["nodes"]}
    assert len(there["nodes"]) == 6
    ids = {c.kubectl("get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}") for c in (probe, LOCAL)}
    assert len(ids) == 2


def test_up_again_changes_nothing(probe: Cluster) -> None:
    before = [n["pid"] for n in probe.status()["nodes"]]
    assert "is up already" in probe.run("up")
    assert [n["pid"] for n in probe.status()["nodes"]] == before


def test_up_starts_a_node_whose_init_died(probe: Cluster) -> None:
    os.kill(probe.node("cpu-a")["pid"], signal.SIGKILL)
    probe.await_node("cpu-a", power="crashed")
    probe.run("up")
    assert probe.node("cpu-a")["power"] == "on"


def test_up_with_other_parameters_is_refused(probe: Cluster) -> None:
    assert "is up with other parameters" in probe.run("up", "--nodes", "3", expect=2)


def test_a_cluster_with_a_taken_index_is_refused(probe: Cluster) -> None:
    assert "cluster local has index 0" in Cluster("third").run("up", "--index", "0", expect=2)
    assert not Path("/var/lib/aftershock/third").exists()


def traces() -> dict[str, list[str]]:
    """Return all that a cluster could leave on the host; the disks of cluster local come and go meanwhile, as its nodes do."""

    def lines(*argv: str) -> list[str]:
        text = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
        return sorted(line for line in text.splitlines() if line and not line.startswith("#") and f"/{LOCAL.name}/" not in line)

    cgroups = [str(p) for root in Path("/sys/fs/cgroup").iterdir() if root.is_dir() for p in root.glob("aftershock-*")]
    return {
        "interfaces": sorted(p.name for p in Path("/sys/class/net").iterdir()),
        "namespaces": sorted(p.name for p in Path("/run/netns").iterdir()) if Path("/run/netns").exists() else [],
        "routes": lines("ip", "route", "show", "table", "all"),
        "mounts": lines("findmnt", "--raw", "--noheadings", "--output", "TARGET"),
        "loop devices": lines("losetup", "--list", "--noheadings", "--output", "BACK-FILE"),
        "firewall": lines("nft", "list", "ruleset"),
        "cgroups": sorted(cgroups),
        "state": sorted(p.name for p in Path("/var/lib/aftershock").iterdir()),
        "sysctls": lines("sysctl", "vm", "kernel.panic", "kernel.panic_on_oops", "kernel.keys", "net.ipv4.ip_forward", "fs.inotify"),
    }


def processes_of(name: str) -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                groups = (entry / "cgroup").read_text()
            except OSError:
                continue
            if f"/aftershock-{name}/" in groups:
                found.append(entry.name)
    return found


@pytest.fixture
def passing() -> Cluster:
    """A cluster that a test takes up and down by itself."""
    cluster = Cluster("passing")
    cluster.run("down")
    return cluster


def test_down_leaves_nothing(probe: Cluster, passing: Cluster) -> None:
    before = traces()
    passing.run("up", "--nodes", "1")
    assert traces() != before
    assert processes_of("passing")
    passing.run("down")
    assert traces() == before
    # a killed process is gone once the host's init has reaped it
    wait_for(lambda: not processes_of("passing"), "no process of the cluster")
    assert "nothing to do" in passing.run("down")


@pytest.mark.parametrize("moment", ["pki", "machines/control/process.json", "machines/cpu-a/process.json", "machines/host/process.json"])
def test_what_a_killed_up_left_is_cleared(probe: Cluster, passing: Cluster, moment: str) -> None:
    before = traces()
    up = subprocess.Popen(passing.command("up", "--nodes", "1"), cwd=ROOT, stdout=subprocess.DEVNULL)
    wait_for((Path("/var/lib/aftershock/passing") / moment).exists, f"{moment} while coming up", 60)
    up.kill()
    up.wait()
    assert traces() != before
    passing.run("down")
    assert traces() == before
    # a killed process is gone once the host's init has reaped it
    wait_for(lambda: not processes_of("passing"), "no process of the cluster")


def test_up_clears_what_a_killed_run_left(probe: Cluster, passing: Cluster) -> None:
    passing.run("up", "--nodes", "1")
    control = int(Path("/var/lib/aftershock/passing/machines/control/process.json").read_text().split('"pid": ')[1].split(",")[0])
    os.kill(control, signal.SIGKILL)
    said = passing.run("up", "--nodes", "1")
    assert "cleared what a killed run left" in said
    assert passing.node("cpu-a")["ready"]
    passing.run("down")


def test_two_ups_do_not_collide(passing: Cluster) -> None:
    runs = [subprocess.Popen(passing.command("up", "--nodes", "1"), cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [run.communicate(timeout=240)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0]
    assert sum("is up: 1 Ready nodes" in text for text in said) == 1
    assert sum("is up already" in text for text in said) == 1
    passing.run("down")
