"""Both cgroup versions, on file trees shaped like the kernel's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cluster.host import cgroups

GROUP = "aftershock-test/nodes/cpu-a"


@pytest.fixture
def v1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(cgroups, "MOUNT", tmp_path)
    for name in ("cpu,cpuacct", "cpuset", "memory"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "cgroup.procs").touch()
    (tmp_path / "cpu").symlink_to("cpu,cpuacct")
    (tmp_path / "cpuset/cpuset.cpus").write_text("0-3\n")
    (tmp_path / "cpuset/cpuset.mems").write_text("0\n")
    return tmp_path


@pytest.fixture
def v2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(cgroups, "MOUNT", tmp_path)
    (tmp_path / "cgroup.procs").touch()
    (tmp_path / "cgroup.controllers").write_text("cpuset cpu io memory pids misc\n")
    (tmp_path / "cgroup.subtree_control").write_text("memory pids\n")
    return tmp_path


def like_the_kernel(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).write_text(text)


def test_v1_makes_the_group_in_every_hierarchy_once(v1: Path) -> None:
    procs = cgroups.create(GROUP)
    assert procs == [str(v1 / name / GROUP / "system/cgroup.procs") for name in ("cpu,cpuacct", "cpuset", "memory")]
    assert cgroups.is_v2() is False


def test_v1_fills_cpusets_on_every_level(v1: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make = Path.mkdir

    def mkdir(self: Path, *args: int, exist_ok: bool = False) -> None:
        make(self, exist_ok=exist_ok)
        if "cpuset" in self.parts:
            like_the_kernel(self, {"cpuset.cpus": "\n", "cpuset.mems": "\n"})

    monkeypatch.setattr(Path, "mkdir", mkdir)
    cgroups.create(GROUP)
    for folder in ("aftershock-test", "aftershock-test/nodes", GROUP, f"{GROUP}/system"):
        assert (v1 / "cpuset" / folder / "cpuset.cpus").read_text() == "0-3\n"
        assert (v1 / "cpuset" / folder / "cpuset.mems").read_text() == "0\n"


def test_v1_caps_all_nodes_together(v1: Path) -> None:
    cgroups.create("aftershock-test/nodes")
    nodes = v1 / "cpu,cpuacct/aftershock-test/nodes"
    like_the_kernel(nodes, {"cpu.shares": "1024", "cpu.cfs_quota_us": "-1", "cpu.cfs_period_us": "100000"})
    cpus = cgroups.cap_nodes("test", reserved_cpus=0.25)
    assert cpus == max((os.cpu_count() or 1) - 0.25, 0.5)
    assert int((nodes / "cpu.cfs_quota_us").read_text()) == int(cpus * int((nodes / "cpu.cfs_period_us").read_text()))
    assert int((nodes / "cpu.shares").read_text()) < 1024


def test_v2_hands_controllers_down_where_they_are_missing(v2: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make = Path.mkdir

    def mkdir(self: Path, *args: int, exist_ok: bool = False) -> None:
        make(self, exist_ok=exist_ok)
        like_the_kernel(self, {"cgroup.controllers": "cpuset cpu io memory pids\n", "cgroup.subtree_control": "\n"})

    monkeypatch.setattr(Path, "mkdir", mkdir)
    assert cgroups.create(GROUP) == [str(v2 / GROUP / "system/cgroup.procs")]
    assert (v2 / "cgroup.subtree_control").read_text() == "+cpuset +cpu +io"
    for folder in ("aftershock-test", "aftershock-test/nodes", GROUP):
        assert (v2 / folder / "cgroup.subtree_control").read_text() == "+cpuset +cpu +io +memory +pids"
    assert not (v2 / GROUP / "system/cgroup.subtree_control").read_text().strip(), "a group with processes hands nothing down"


def test_v2_caps_all_nodes_together(v2: Path) -> None:
    (v2 / "aftershock-test/nodes").mkdir(parents=True)
    cpus = cgroups.cap_nodes("test", reserved_cpus=0.25)
    quota, period = map(int, (v2 / "aftershock-test/nodes/cpu.max").read_text().split())
    assert quota == int(cpus * period)
    assert int((v2 / "aftershock-test/nodes/cpu.weight").read_text()) < 100


def test_v2_takes_back_what_the_root_did_not_hand_down_before(v2: Path) -> None:
    assert cgroups.handed_down() == ["memory", "pids"]
    assert cgroups.take_back(["memory", "pids"]) == []
    assert cgroups.take_back(["memory"]) == ["cgroup controller pids"]
    assert (v2 / "cgroup.subtree_control").read_text() == "-pids"


def test_a_machine_keeps_half_a_cpu_however_much_is_reserved(v1: Path) -> None:
    cgroups.create("aftershock-test/nodes")
    assert cgroups.cap_nodes("test", reserved_cpus=1000) == 0.5


def test_members_are_those_of_the_group_and_below(v1: Path) -> None:
    cgroups.create(GROUP)
    like_the_kernel(v1 / "memory" / GROUP, {"cgroup.procs": "41\n42\n"})
    like_the_kernel(v1 / "memory" / GROUP / "system", {"cgroup.procs": f"43\n{os.getpid()}\n"})
    like_the_kernel(v1 / "memory", {"cgroup.procs": "1\n"})
    assert cgroups.members("aftershock-test") == {41, 42, 43}


def test_removing_leaves_no_group_in_any_hierarchy(v1: Path) -> None:
    cgroups.create(GROUP)
    assert cgroups.exists("test")
    assert cgroups.found_clusters() == {"test"}
    cgroups.remove("aftershock-test")
    assert not cgroups.exists("test")
    assert cgroups.found_clusters() == set()
    cgroups.remove("aftershock-test")
