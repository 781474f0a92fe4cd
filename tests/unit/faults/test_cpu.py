"""A starved replica: what is resolved and refused, what its fault pod is told, and what the kernel's words mean."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import faults.cpu
from history.errors import ConfigError, NoData, TargetRefused
from kube import container_exec
from probes import cpu
from safety.undo_journal import UndoKind
from testing.platform.fake_cluster import FakeCluster, seeded
from testing.platform.fake_run import live_run
from testing.runs.fault_parts import fault_pods_told, kinds, spec

ID = "f" * 64
ASKED: dict[str, Any] = {"role": "inference", "for_s": 45, "percent": 5}


@pytest.fixture
def cluster() -> FakeCluster:
    made = FakeCluster()
    for (_, name), pod in made.pods.items():
        for status in pod.status.container_statuses or []:
            status.container_id = f"containerd://{ID}" if name != "inference-a" else None
    return made


def resolve(cluster: FakeCluster, **changes: Any) -> Any:
    return spec(faults.cpu.starve).resolve(cluster.platform(), ASKED | changes, seeded(7))


def test_it_says_how_little_how_long_and_who_ends_it(cluster: FakeCluster) -> None:
    cluster.pods.pop(("ml-serving", "inference-a"))
    [target] = resolve(cluster)
    assert target.effect == "has at most 5 % of a processor for 45 s"
    assert "a watchdog on its node ends it after 45 s" in target.ends
    assert spec(faults.cpu.starve).lasts_s(ASKED) == 45


@pytest.mark.parametrize("wrong", [{"percent": 0}, {"percent": 101}, {"percent": "5%"}, {"for_s": 0}])
def test_what_cannot_be_meant_is_refused_by_its_name(cluster: FakeCluster, wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f"^starve: {next(iter(wrong))} is "):
        resolve(cluster, **wrong)


def test_a_container_of_which_kubernetes_names_no_id_is_refused(cluster: FakeCluster) -> None:
    with pytest.raises(TargetRefused, match="inference-a: Kubernetes names no id of a container 'server'"):
        resolve(cluster, count=3)


def test_its_fault_pod_is_told_which_container_and_is_written_ahead(
    cluster: FakeCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = fault_pods_told(monkeypatch, "cpu-limit")
    cluster.pods.pop(("ml-serving", "inference-a"))
    run = live_run(cluster, tmp_path, {"act": resolve(cluster)})
    faults.cpu.starve("inference", 45, 5)
    [target] = run.targets_of()
    assert [one.arguments for one in told] == [("cpu-limit", "--pod", target.uid, "--container", ID, "--percent", "5")]
    assert [entry.kind for entry in run.journal.entries()] == [UndoKind.DELETE_POD]
    assert "fault.start" in kinds(tmp_path)


STAT = "nr_periods {}\nnr_throttled {}\nthrottled_time 5\n"


@pytest.fixture
def seen(cluster: FakeCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """A run whose target's kernel says what the test wants."""
    cluster.pods.pop(("ml-serving", "inference-a"))
    live_run(cluster, tmp_path, {"act": resolve(cluster)})
    return lambda text: monkeypatch.setattr(container_exec, "output_of", lambda *_, **__: text)


@pytest.mark.parametrize(
    ("quota", "before", "after", "says"),
    [
        ("quota 5000 100000", (10, 2), (20, 9), (True, True)),
        ("quota 5000 100000 ", (10, 2), (20, 3), (True, False)),  # it has little to do
        ("quota 5000 100000", (10, 2), (10, 2), (True, False)),  # it did not run
        ("quota 60000 100000", (10, 2), (20, 9), (False, False)),  # its own limit
        ("quota max 100000", (0, 0), (0, 0), (False, False)),
        ("quota -1 100000", (0, 0), (0, 0), (False, False)),
    ],
)
def test_evidence_is_what_the_kernel_says_in_the_container(
    seen: Callable[[str], None], quota: str, before: tuple[int, int], after: tuple[int, int], says: tuple[bool, bool]
) -> None:
    seen(f"{quota}\nusage_usec 7\n{STAT.format(*before)}usage_usec 9\n{STAT.format(*after)}")
    assert (cpu.limited("act", "inference", 5), cpu.starved("act", "inference", 5)) == says


@pytest.mark.parametrize("said", ["", "quota 5000 100000\n", "quota 5000\n" + 2 * STAT.format(1, 1)])
def test_a_container_that_does_not_see_its_control_group_is_no_evidence(seen: Callable[[str], None], said: str) -> None:
    seen(said)
    with pytest.raises(NoData, match="does not see its control group"):
        cpu.limited("act", "inference", 5)
