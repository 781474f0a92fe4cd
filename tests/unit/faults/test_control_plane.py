"""The control plane stopped: what is refused, what is written ahead, what proves it, and that it is started again without its journal."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import urllib3
from kubernetes import client

import faults.control_plane
from history.errors import ConfigError, FaultFailed, NoData, TargetRefused
from kube.client import Platform
from kube.control_plane import LEADERS, api_answers
from probes import control_plane
from safety import blast_radius
from safety.active_run import ActiveRun
from safety.undo import bring_back
from safety.undo_journal import UndoKind
from target.allow import Allow
from target.region import ControlPlaneDriver
from target.target import Target
from testing.platform.fake_cluster import NOW, FakeCluster, local_target, seeded
from testing.platform.fake_run import live_run
from testing.runs.fault_parts import kinds, spec

STOP: dict[str, Callable[..., Any]] = {
    "api-server": faults.control_plane.stop_api_server,
    "controllers": faults.control_plane.stop_controllers,
}


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Platform, "server_time", lambda _: NOW)


@pytest.fixture
def cluster() -> FakeCluster:
    return renewed(FakeCluster(), 2)


def renewed(cluster: FakeCluster, ago_s: float, holder: str | None = "it") -> FakeCluster:
    for name in LEADERS:
        spec = client.V1LeaseSpec(holder_identity=holder, renew_time=NOW - timedelta(seconds=ago_s), lease_duration_seconds=15)
        cluster.leases[name] = SimpleNamespace(metadata=client.V1ObjectMeta(name=name), spec=spec)  # type: ignore[assignment]  # as much as is read
    return cluster


def noting(folder: Path, fails: str = "") -> Target:
    """Return a target whose driver of the control plane writes down what it is told."""
    line = f"import sys; open({str(folder / 'said')!r}, 'a').write(' '.join(sys.argv[1:]) + chr(10)); sys.exit({fails!r} or None)"
    told = ("{python}", "-c", line)
    driver = ControlPlaneDriver(fail=(*told, "stop", "{part}", "{seconds}"), repair=(*told, "start", "{part}"))
    return local_target(control_plane=driver.model_dump())


def resolve(part: str, cluster: FakeCluster, on: Target | None = None, for_s: object = 60) -> Any:
    return spec(STOP[part]).resolve(cluster.platform(on), {"for_s": for_s}, seeded(7))


def stopped(part: str, cluster: FakeCluster, folder: Path, fails: str = "") -> ActiveRun:
    return live_run(cluster, folder, {"act": resolve(part, cluster)}, noting(folder, fails))


@pytest.mark.parametrize("part", STOP)
def test_it_says_what_is_down_and_that_it_ends_by_itself(part: str, cluster: FakeCluster) -> None:
    [target] = resolve(part, cluster)
    assert (target.kind, target.name, target.namespace, target.node) == ("ControlPlane", part, None, None)
    assert "down for 60 s" in target.effect
    assert "start again after 60 s by itself" in target.ends
    assert spec(STOP[part]).lasts_s({"for_s": 60}) == 60


def test_controllers_are_seen_down_when_their_longest_lease_has_expired(cluster: FakeCluster) -> None:
    cluster.leases["kube-scheduler"].spec.lease_duration_seconds = 30
    assert [resolve(part, cluster)[0].seen_s for part in STOP] == [0, 30]


@pytest.mark.parametrize("part", STOP)
def test_without_a_driver_it_is_refused(part: str, cluster: FakeCluster) -> None:
    with pytest.raises(TargetRefused, match=r"it has no control_plane driver, .* leave such faults out"):
        resolve(part, cluster, local_target(control_plane=None))


@pytest.mark.parametrize("part", STOP)
@pytest.mark.parametrize("for_s", [0, -1, "60s", None, True])
def test_without_an_end_it_is_refused_by_its_name(part: str, cluster: FakeCluster, for_s: object) -> None:
    with pytest.raises(ConfigError, match=f"^{STOP[part].__name__}: for_s is "):
        resolve(part, cluster, for_s=for_s)


@pytest.mark.parametrize("part", STOP)
def test_more_than_an_hour_is_refused(part: str, cluster: FakeCluster) -> None:
    assert resolve(part, cluster, for_s=3600)
    with pytest.raises(ConfigError, match=f"^{STOP[part].__name__}: for_s is 3601; .* 3600 s at most"):
        resolve(part, cluster, for_s=3601)


@pytest.mark.parametrize("part", STOP)
def test_controllers_that_nobody_sees_at_work_are_refused(part: str, cluster: FakeCluster) -> None:
    with pytest.raises(TargetRefused, match="kube-controller-manager, kube-scheduler: its Lease in kube-system is not renewed"):
        resolve(part, renewed(cluster, 16))
    with pytest.raises(TargetRefused, match="is not renewed"):
        resolve(part, renewed(cluster, 1, holder=None))
    cluster.leases.clear()
    cluster.leads = False
    with pytest.raises(TargetRefused, match="read the Leases of controller manager and scheduler"):
        resolve(part, cluster)


@pytest.mark.parametrize("part", STOP)
def test_a_strangers_cluster_needs_leave_and_the_embedded_one_none(part: str, cluster: FakeCluster, tmp_path: Path) -> None:
    targets = resolve(part, cluster)
    blast_radius.check(cluster.platform(), targets)
    theirs = cluster.platform(noting(tmp_path))
    with pytest.raises(TargetRefused, match=r"everybody on this cluster depends on it; .* allow: \{cluster_wide: true\}"):
        blast_radius.check(theirs, targets)
    blast_radius.check(theirs, targets, Allow(cluster_wide=True))


@pytest.mark.parametrize("part", STOP)
def test_it_is_written_ahead_and_carried_out_by_the_driver(part: str, cluster: FakeCluster, tmp_path: Path) -> None:
    run = stopped(part, cluster, tmp_path)
    assert STOP[part](60)["targets"] == [part]
    assert (tmp_path / "said").read_text() == f"stop {part} 60\n"
    [entry] = run.journal.entries()
    assert (entry.kind, entry.object, entry.detail) == (UndoKind.START_CONTROL_PLANE, part, NOW.isoformat())
    assert entry.self_ends
    assert "fault.start" in kinds(tmp_path)
    assert faults.control_plane.start() == {"undone": [f"control plane: {part} is started"]}
    assert (tmp_path / "said").read_text().endswith(f"start {part}\n")


def test_a_driver_that_fails_is_quoted(cluster: FakeCluster, tmp_path: Path) -> None:
    stopped("api-server", cluster, tmp_path, fails="no such machine")
    with pytest.raises(FaultFailed, match=r"stop the control plane's api-server: .* it said: no such machine"):
        faults.control_plane.stop_api_server(60)


def test_only_the_api_server_blinds_the_suite() -> None:
    assert [spec(one).takes_away for one in STOP.values()] == [("api-server",), ()]


@pytest.mark.parametrize(("ago_s", "is_seen"), [(2, False), (14, False), (16, True)])
def test_controllers_are_down_when_their_leases_have_expired(cluster: FakeCluster, tmp_path: Path, ago_s: float, is_seen: bool) -> None:
    stopped("controllers", cluster, tmp_path)
    renewed(cluster, ago_s)
    assert control_plane.controllers_silent("act") is is_seen


def test_one_that_still_leads_is_no_evidence(cluster: FakeCluster, tmp_path: Path) -> None:
    stopped("controllers", cluster, tmp_path)
    at_work = cluster.leases["kube-scheduler"]
    renewed(cluster, 16)
    cluster.leases["kube-scheduler"] = at_work
    assert control_plane.controllers_silent("act") is False


def test_leases_that_nobody_can_read_are_no_evidence(cluster: FakeCluster, tmp_path: Path) -> None:
    stopped("controllers", cluster, tmp_path)
    cluster.leases.clear()
    cluster.leads = False
    with pytest.raises(NoData):
        control_plane.controllers_silent("act")


class Server:
    """What answers under the API server's address: a status, or an error."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, platform: Platform, answer: int | Exception) -> None:
        self.answer, self.asked = answer, list[tuple[object, ...]]()
        monkeypatch.setattr(platform.api, "rest_client", SimpleNamespace(pool_manager=self))

    def request(self, *asked: object, **options: object) -> SimpleNamespace:
        self.asked.append((*asked, options["retries"]))
        if isinstance(self.answer, Exception):
            raise self.answer
        return SimpleNamespace(status=self.answer)


@pytest.mark.parametrize(
    ("answer", "is_up"),
    [
        (200, True), (401, True), (403, True), (429, True), (500, False), (502, False), (503, False),
        (urllib3.exceptions.NewConnectionError(None, "refused"), False),  # type: ignore[arg-type]  # of no connection
        (urllib3.exceptions.ReadTimeoutError(None, "", "silent"), False),  # type: ignore[arg-type]
    ],
)  # fmt: skip
def test_a_refusal_is_an_answer_and_a_balancers_error_is_none(
    cluster: FakeCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: int | Exception, is_up: bool
) -> None:
    run = stopped("api-server", cluster, tmp_path)
    server = Server(monkeypatch, run.platform, answer)
    assert api_answers(run.platform) is is_up
    assert control_plane.api_silent("act") is not is_up
    assert server.asked[0] == ("GET", "http://in-memory/livez", False)


@pytest.mark.parametrize(
    ("part", "evidence"), [("controllers", control_plane.api_silent), ("api-server", control_plane.controllers_silent)]
)
def test_evidence_of_the_other_part_says_so(part: str, evidence: Callable[[str], bool], cluster: FakeCluster, tmp_path: Path) -> None:
    stopped(part, cluster, tmp_path)
    with pytest.raises(NoData, match="use the probe that fits its fault"):
        evidence("act")


@pytest.mark.parametrize("is_up", [True, False])
def test_it_is_started_again_without_the_journal_that_lies_behind_it(
    cluster: FakeCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_up: bool
) -> None:
    run = stopped("api-server", cluster, tmp_path)
    monkeypatch.setattr("safety.undo.answers", lambda _: is_up)
    bring_back(run)
    assert (tmp_path / "said").exists() is not is_up


def test_a_run_that_stops_nothing_starts_nothing(cluster: FakeCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = live_run(cluster, tmp_path, {"act": []}, noting(tmp_path))
    monkeypatch.setattr("safety.undo.answers", lambda _: False)
    bring_back(run)
    assert not (tmp_path / "said").exists()
