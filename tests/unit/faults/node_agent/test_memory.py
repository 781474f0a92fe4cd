"""Memory that is taken: where its limit and its kills stand in both versions, and when the taking ends."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from faults.node_agent import cgroups, memory, node
from faults.node_agent.node import Refused

UID, ID = "00000000-0000-4000-8000-000000000000", "a" * 64
V1 = "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n"


def group(folder: Path, **files: str) -> str:
    folder.mkdir()
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)
    return str(folder)


def test_both_versions_are_found_with_their_limit_and_their_kills(tmp_path: Path) -> None:
    v2 = group(tmp_path / "v2", memory__max="1073741824\n", memory__events="max 5\noom 1\noom_kill 2\n")
    v1 = group(tmp_path / "v1", memory__limit_in_bytes="1073741824\n", memory__oom_control=V1)
    assert memory.group_in([group(tmp_path / "cpu"), v2]) == (v2, 1 << 30, f"{v2}/memory.events")
    assert memory.group_in([v1]) == (v1, 1 << 30, f"{v1}/memory.oom_control")
    assert [memory.kills_in(Path(one).read_text()) for one in (f"{v2}/memory.events", f"{v1}/memory.oom_control")] == [2, 3]
    assert memory.kills_in("oom_kill_disable 0\nunder_oom 0\n") == 0


@pytest.mark.parametrize(
    "files", [{"memory__max": "max", "memory__events": ""}, {"memory__limit_in_bytes": str((1 << 63) - 4096), "memory__oom_control": V1}]
)
def test_without_a_limit_nothing_is_taken(tmp_path: Path, files: dict[str, str]) -> None:
    with pytest.raises(OSError, match="its container has no limit of memory"):
        memory.group_in([group(tmp_path / "free", **files)])


def processes(monkeypatch: pytest.MonkeyPatch, **known: tuple[int, int]) -> None:
    """Let these be processes: memory (MiB) and oom_score_adj."""
    texts = {f"/proc/{pid}/status": f"Name:\tx y\nVmRSS:\t {mib * 1024} kB\n" for pid, (mib, _) in known.items()}
    texts |= {f"/proc/{pid}/oom_score_adj": f"{adjusted}\n" for pid, (_, adjusted) in known.items()}
    monkeypatch.setattr(memory, "read", lambda path: texts.get(path, "") if path.startswith("/proc/") else node.read(path))


@pytest.mark.parametrize(
    ("theirs", "whole", "refused"),
    [
        ((600, 990), "0", False),  # a usual pod of class Burstable: as good as the fault pod's own, and larger
        ((200, 500), "0", True),  # it asks for half of the node, and has little: 0.2 + 0.5 of the limit, beside 0.999
        ((600, 500), "0", False),  # it has enough
        ((200, 500), "1", False),  # the group is killed as a whole
        ((1000, -1000), "0", True),  # nobody may kill it
        ((600, 999), "", False),  # version 1, or an older kernel
    ],
)
def test_it_is_refused_where_the_kernel_would_choose_another_victim(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, theirs: tuple[int, int], whole: str, refused: bool
) -> None:
    processes(monkeypatch, self=(12, 999), **{"7": theirs, "8": (1, 999)})
    files = {"memory__oom__group": whole} if whole else {}
    found = memory.Group(group(tmp_path / "v2", cgroup__procs="7\n8\n9\n", **files), 1000 << 20, "")
    if not refused:
        assert memory._checked(found) == found
        return
    with pytest.raises(OSError, match=r"would kill the fault pod's own process first: its oom_score_adj is 999"):
        memory._checked(found)


def test_processes_in_groups_below_that_of_the_container_are_its(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    processes(monkeypatch, self=(12, 999), **{"7": (600, 990)})
    found = memory.Group(group(tmp_path / "v2", cgroup__procs=""), 1000 << 20, "")
    with pytest.raises(OSError, match="no process is in its container's control group any more"):
        memory._checked(found)
    group(tmp_path / "v2" / "init", cgroup__procs="")
    group(tmp_path / "v2" / "init" / "service", cgroup__procs="7\n")
    assert memory._checked(found) == found


def test_where_the_containers_group_takes_no_process_one_below_is_joined(tmp_path: Path) -> None:
    outer = tmp_path / "v2"
    (outer / "cgroup.procs").mkdir(parents=True)  # nothing can be written there
    with pytest.raises(OSError, match="no control group takes a process"):
        memory.join(str(outer))
    inner = Path(group(outer / "init", cgroup__procs="")) / "cgroup.procs"
    memory.join(str(outer))
    assert inner.read_text() == str(os.getpid())


def test_a_group_that_does_not_count_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroups, "enter_node", lambda _kind: None)
    monkeypatch.setattr(memory, "group_of", lambda *_: [str(tmp_path)])
    with pytest.raises(Refused, match="the memory controller is not there for it"):
        memory.eating(UID, ID)


def test_it_ends_with_the_limit_and_as_soon_as_the_kernel_has_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = tmp_path / "memory.events"
    counts.write_text("oom_kill 1\n")
    found = memory.Group(str(tmp_path), 10 << 20, str(counts))
    assert memory.eat(found) == 12 << 20  # in pieces of 4 MiB
    write, written = os.write, 0

    def killing(descriptor: int, data: bytes) -> int:
        nonlocal written
        counts.write_text("oom_kill 2\n")
        written += 1
        return write(descriptor, data[:1])

    counts.write_text("oom_kill 1\n")
    monkeypatch.setattr(os, "write", killing)
    assert (memory.eat(found), written) == (1, 1)


def test_what_waits_takes_nothing_and_is_ended_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroups, "enter_node", lambda _kind: None)
    monkeypatch.setattr(memory, "enter_node", lambda _kind: None)
    folder = group(tmp_path / "v2", memory__max="8388608", memory__events="oom_kill 0\n", memory__oom__group="1\n")
    monkeypatch.setattr(memory, "group_of", lambda *_: [folder])
    effect = memory.eating(UID, ID)
    effect.end()
    effect.end()
    assert not (tmp_path / "v2" / "cgroup.procs").exists()
