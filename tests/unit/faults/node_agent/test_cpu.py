"""The quota of a control group, in both versions: found, lowered, written back, and left alone where the container is gone."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from faults.node_agent import cgroups, cpu, main
from faults.node_agent.node import Refused

UID, ID = "00000000-0000-4000-8000-000000000000", "a" * 64


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the node keeps of quotas that are lowered."""
    folder = tmp_path / "run"
    folder.mkdir()
    monkeypatch.setattr(cpu, "STATE", folder)
    return folder


def group(folder: Path, **files: str) -> str:
    folder.mkdir()
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)
    return str(folder)


def test_both_versions_are_found_and_lowered(tmp_path: Path) -> None:
    v2 = group(tmp_path / "v2", cpu__max="60000 100000\n")
    v1 = group(tmp_path / "v1", cpu__cfs_quota_us="60000\n", cpu__cfs_period_us="100000\n")
    free = group(tmp_path / "free", cpu__max="max 100000\n")
    other = group(tmp_path / "memory")
    assert cpu.quota_in([other, v2], 5) == cpu.Quota(f"{v2}/cpu.max", "60000 100000", "5000 100000")
    assert cpu.quota_in([other, v1], 5) == cpu.Quota(f"{v1}/cpu.cfs_quota_us", "60000", "5000")
    assert cpu.quota_in([free], 1) == cpu.Quota(f"{free}/cpu.max", "max 100000", "1000 100000")


def test_what_has_no_more_already_or_no_quota_at_all_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="it has 5% of a processor already, which is not more than 10 %"):
        cpu.quota_in([group(tmp_path / "v2", cpu__max="5000 100000")], 10)
    with pytest.raises(OSError, match="the CPU controller is not there for it"):
        cpu.quota_in([group(tmp_path / "memory")], 10)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Callable[[list[str]], None]:
    """This machine in the place of the node: its control groups are folders."""
    monkeypatch.setattr(cgroups, "enter_node", lambda _kind: None)

    def has(folders: list[str]) -> None:
        monkeypatch.setattr(cpu, "group_of", lambda *_: folders)

    return has


def test_the_old_quota_comes_back_and_a_container_that_is_gone_is_left_alone(tmp_path: Path, here: Callable[[list[str]], None]) -> None:
    folder = Path(group(tmp_path / "v2", cpu__max="60000 100000"))
    here([str(folder)])
    effect = cpu.limit(UID, ID, 5, 10)
    effect.begin()
    assert (folder / "cpu.max").read_text() == "5000 100000"
    effect.end()
    effect.end()
    assert (folder / "cpu.max").read_text() == "60000 100000"
    (folder / "cpu.max").unlink()
    effect.end()
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("percents", [(5, 20), (20, 5)])
@pytest.mark.parametrize("first", [0, 1])
def test_of_two_limits_the_lower_stands_and_the_last_to_end_writes_the_first_quota_back(
    tmp_path: Path, state: Path, here: Callable[[list[str]], None], percents: tuple[int, int], first: int
) -> None:
    quota = Path(group(tmp_path / "v2", cpu__max="60000 100000")) / "cpu.max"
    here([str(quota.parent)])
    effects = [cpu.limit(UID, ID, percents[0], 10)]
    effects[0].begin()
    effects.append(cpu.limit(UID, ID, percents[1], 10))  # prepared while the other acts
    effects[1].begin()
    assert quota.read_text() == "5000 100000"
    effects[first].end()
    assert quota.read_text() == f"{percents[1 - first]}000 100000"
    effects[first].end()  # its watchdog, once more
    effects[1 - first].end()
    assert quota.read_text() == "60000 100000"
    assert list(state.iterdir()) == []


def test_what_a_dead_holder_left_low_is_written_back(tmp_path: Path, here: Callable[[list[str]], None]) -> None:
    quota = Path(group(tmp_path / "v1", cpu__cfs_quota_us="-1\n", cpu__cfs_period_us="100000\n")) / "cpu.cfs_quota_us"
    here([str(quota.parent)])
    cpu.limit(UID, ID, 5, -cpu.SLACK_S).begin()  # neither it nor its watchdog ends it
    assert quota.read_text() == "5000"
    second = cpu.limit(UID, ID, 10, 10)
    assert quota.read_text() == "-1"
    second.begin()
    second.end()
    assert quota.read_text() == "-1"


def test_where_nothing_can_be_kept_nothing_is_lowered(
    tmp_path: Path, state: Path, here: Callable[[list[str]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    quota = Path(group(tmp_path / "v2", cpu__max="60000 100000")) / "cpu.max"
    here([str(quota.parent)])
    effect = cpu.limit(UID, ID, 5, 10)
    monkeypatch.setattr(cpu, "STATE", tmp_path / "full")
    with pytest.raises(OSError, match="No such file"):
        effect.begin()
    assert quota.read_text() == "60000 100000"


def test_what_was_kept_and_is_lost_does_not_leave_the_quota_low(tmp_path: Path, state: Path, here: Callable[[list[str]], None]) -> None:
    quota = Path(group(tmp_path / "v2", cpu__max="60000 100000")) / "cpu.max"
    here([str(quota.parent)])
    effect = cpu.limit(UID, ID, 5, 10)
    effect.begin()
    for file in state.iterdir():
        file.unlink()
    effect.end()
    assert quota.read_text() == "60000 100000"


def test_a_container_that_goes_meanwhile_leaves_nothing_kept(tmp_path: Path, state: Path, here: Callable[[list[str]], None]) -> None:
    quota = Path(group(tmp_path / "v2", cpu__max="max 100000")) / "cpu.max"
    here([str(quota.parent)])
    effect = cpu.limit(UID, ID, 5, 10)
    effect.begin()
    quota.unlink()
    effect.end()
    assert list(state.iterdir()) == []


def test_a_container_that_does_not_run_here_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroups, "enter_node", lambda _kind: None)
    with pytest.raises(OSError, match="no process of its container aaaaaaaaaaaa runs on this node"):
        cgroups.group_of(UID, ID)
    with pytest.raises(OSError, match="no such thing"):
        cgroups.on_node(_fails)


def test_what_goes_wrong_on_the_node_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu, "on_node", lambda _work: _fails())
    with pytest.raises(Refused, match="no such thing"):
        cpu.limit(UID, ID, 5, 10)


def _fails() -> str:
    raise OSError("no such thing")


@pytest.mark.parametrize("below", ["", "/init", "/system.slice/x.service"])
def test_a_process_is_found_by_its_pod_and_container_whose_own_group_it_is(monkeypatch: pytest.MonkeyPatch, below: str) -> None:
    uid = UID.replace("-", "_")
    group = f"/kubepods/pod{uid}.slice/cri-containerd-{ID}.scope"
    texts = {f"/proc/{os.getpid()}/cgroup": f"4:memory:{group}{below}\n0::{group}{below}\n", "/proc/1/mountinfo": ""}
    monkeypatch.setattr(cgroups, "read", lambda path: texts.get(path, ""))
    monkeypatch.setattr(cgroups, "folders", lambda groups, _mounts: [groups])
    assert cgroups.group_of(UID, ID) == [f"4:memory:{group}\n0::{group}\n"]


@pytest.mark.parametrize("container", ["x; reboot", "../..", "A" * 64, "ab"])
def test_a_container_is_named_by_its_id_alone(container: str) -> None:
    with pytest.raises(SystemExit):
        main.parser().parse_args(["cpu-limit", "--pod", UID, "--container", container, "--percent", "5", "--for", "5", "--not-after", "1"])
