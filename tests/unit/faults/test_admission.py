"""New pods refused by a webhook or a quota: what is refused in preflight, what is written ahead and made, what ends it, what proves it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import faults.admission
from faults.mechanisms import timer_job
from history.errors import ConfigError, FaultFailed, NoData, TargetRefused
from kube.client import Platform
from probes.admission import not_replaced, refused
from safety import blast_radius
from safety.active_run import ActiveRun
from safety.leases import names_for
from safety.new_pods import name_of
from safety.undo_journal import UndoKind
from target.allow import Allow
from testing.platform.fake_cluster import NOW, local_target, seeded
from testing.platform.fake_run import live_run
from testing.platform.in_memory.asked_by_path import refused as answered
from testing.platform.refusing_cluster import RefusingCluster
from testing.runs.fault_parts import kinds, spec

NAME = name_of("run-1", "act")
REFUSE: dict[str, Callable[..., Any]] = {"webhook": faults.admission.refuse_by_webhook, "quota": faults.admission.refuse_by_quota}


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> RefusingCluster:
    made = RefusingCluster(monkeypatch)
    monkeypatch.setattr(Platform, "server_time", lambda _: made.now)
    return made


def resolve(by: str, cluster: RefusingCluster, **changes: Any) -> Any:
    return spec(REFUSE[by]).resolve(cluster.platform(), {"role": "inference", "for_s": 40} | changes, seeded(7))


def live(by: str, cluster: RefusingCluster, folder: Path) -> ActiveRun:
    return live_run(cluster, folder, {"act": resolve(by, cluster)})


@pytest.mark.parametrize("by", REFUSE)
def test_it_hits_a_namespace_and_says_how_long_and_what_ends_it(by: str, cluster: RefusingCluster) -> None:
    [target] = resolve(by, cluster)
    assert (target.kind, target.name, target.namespace, target.node) == ("Namespace", "ml-serving", "ml-serving", None)
    assert f"new pods are refused for 40 s, by a {by}" in target.effect
    assert "after 40 s" in target.ends
    assert spec(REFUSE[by]).lasts_s({"for_s": 40}) == 40
    assert names_for([target]) == ["aftershock-namespace-ml-serving"]
    assert not cluster.calls, "nothing is made in preflight"


@pytest.mark.parametrize("by", REFUSE)
@pytest.mark.parametrize("for_s", [0, -1, "40s", None, True, 3601])
def test_a_time_that_cannot_be_meant_is_refused_by_its_name(by: str, cluster: RefusingCluster, for_s: object) -> None:
    with pytest.raises(ConfigError, match=f"^refuse_by_{by}: for_s is "):
        resolve(by, cluster, for_s=for_s)


@pytest.mark.parametrize("by", REFUSE)
def test_a_namespace_that_lets_in_no_pod_anyhow_is_refused_in_the_api_servers_words(by: str, cluster: RefusingCluster) -> None:
    cluster.otherwise = answered(403, 'pods "x" is forbidden: exceeded quota: theirs')
    with pytest.raises(TargetRefused, match=r"would be refused there without any fault \(.*exceeded quota: theirs\)"):
        resolve(by, cluster)
    cluster.otherwise = answered(403, 'pods is forbidden: User "me" cannot create resource "pods" in API group ""')
    with pytest.raises(TargetRefused, match=r"ask whether a new pod would be let in.*; grant the permission to the account"):
        resolve(by, cluster)
    cluster.otherwise = answered(503, "the server is currently unable to handle the request")
    with pytest.raises(TargetRefused, match=r"ask whether a new pod would be let into namespace ml-serving .* 503"):
        resolve(by, cluster)


@pytest.mark.parametrize("by", REFUSE)
def test_a_namespace_without_consent_or_of_others_is_refused(by: str, cluster: RefusingCluster) -> None:
    targets = resolve(by, cluster)
    blast_radius.check(cluster.platform(), targets)
    with pytest.raises(TargetRefused, match="namespace ml-serving is in namespace ml-serving, the target file allows ml-training"):
        blast_radius.check(cluster.platform(local_target(namespaces=["ml-training"])), targets)
    cluster.namespaces["ml-serving"] = {}
    with pytest.raises(TargetRefused, match="has not consented"):
        blast_radius.check(cluster.platform(), targets)


def test_only_the_webhook_needs_leave_on_a_strangers_cluster(cluster: RefusingCluster) -> None:
    theirs = cluster.platform(local_target(shared_machine=None, control_plane=None, context="staging-eu"))
    with pytest.raises(TargetRefused, match=r"hit by an object of the whole cluster; .* allow: \{cluster_wide: true\}"):
        blast_radius.check(theirs, resolve("webhook", cluster))
    blast_radius.check(theirs, resolve("webhook", cluster), Allow(cluster_wide=True))
    blast_radius.check(theirs, resolve("quota", cluster))


def test_only_the_webhook_asks_for_a_right_in_the_whole_cluster(cluster: RefusingCluster) -> None:
    asked = {by: spec(one).permissions(cluster.platform(), {"role": "inference", "for_s": 40}) for by, one in REFUSE.items()}
    everywhere = {by: {(one.verb, one.resource) for one in found if one.namespace is None} for by, found in asked.items()}
    assert everywhere == {
        "webhook": {("create", "validatingwebhookconfigurations"), ("delete", "validatingwebhookconfigurations")},
        "quota": set(),
    }
    assert {one.namespace for found in asked.values() for one in found} == {None, "ml-serving"}


@pytest.mark.parametrize(("by", "kind"), [("webhook", UndoKind.DELETE_WEBHOOK), ("quota", UndoKind.DELETE_QUOTA)])
def test_it_is_written_ahead_proven_and_taken_away(by: str, kind: UndoKind, cluster: RefusingCluster, tmp_path: Path) -> None:
    run = live(by, cluster, tmp_path)
    assert not refused("act")
    assert REFUSE[by]("inference", 40)["targets"] == ["ml-serving"]
    assert cluster.calls[0] == f"write ahead {kind} {NAME}"
    assert cluster.calls[-1] == f"create {by} {NAME}"
    [entry] = run.journal.entries()
    assert (entry.kind, entry.object, entry.namespace) == (kind, NAME, "ml-serving")
    assert "after 40 s" in entry.self_ends
    assert "fault.start" in kinds(tmp_path)
    assert refused("act")
    [said] = faults.admission.let_in()["undone"]  # type: ignore[misc]  # a list
    assert f"{NAME}" in said
    assert "gone" in said
    assert not {**cluster.webhooks, **cluster.quotas, **cluster.jobs}
    assert not refused("act")
    assert faults.admission.let_in() == {"undone": []}
    assert "fault.end" in kinds(tmp_path)


def test_the_webhook_refuses_only_new_pods_of_its_namespace_and_until_its_end(cluster: RefusingCluster, tmp_path: Path) -> None:
    live("webhook", cluster, tmp_path)
    faults.admission.refuse_by_webhook("inference", 40)
    [hook] = cluster.webhooks[NAME]["webhooks"]
    assert hook["failurePolicy"] == "Fail"
    assert hook["sideEffects"] == "None", "or a dry run would not ask it"
    assert [(rule["operations"], rule["resources"]) for rule in hook["rules"]] == [(["CREATE"], ["pods"])]
    cluster.create_namespaced_pod("ml-training", {}, dry_run="All")
    for after_s, is_refused in ((39, True), (40, False)):
        cluster.now = NOW + timedelta(seconds=after_s)
        assert refused("act") is is_refused


def test_where_the_api_server_leaves_out_how_the_webhook_ends_it_is_taken_away_at_once(cluster: RefusingCluster, tmp_path: Path) -> None:
    cluster.old = True
    live("webhook", cluster, tmp_path)
    with pytest.raises(FaultFailed, match=r"left the condition out .*; it is deleted again; use refuse_by_quota"):
        faults.admission.refuse_by_webhook("inference", 40)
    assert not cluster.webhooks


def test_the_quota_belongs_to_a_job_without_pods_that_is_over_in_time(cluster: RefusingCluster, tmp_path: Path) -> None:
    live("quota", cluster, tmp_path)
    faults.admission.refuse_by_quota("inference", 39.5)
    job = cluster.jobs["ml-serving", NAME]["spec"]
    assert (job["parallelism"], job["activeDeadlineSeconds"], job["ttlSecondsAfterFinished"]) == (0, 40, 0)
    quota = cluster.quotas["ml-serving", NAME]
    assert quota["metadata"]["ownerReferences"] == [{"apiVersion": "batch/v1", "kind": "Job", "name": NAME, "uid": f"uid-of-{NAME}"}]
    assert quota["spec"] == {"hard": {"pods": "0"}}


def test_without_anybody_who_would_end_it_no_quota_is_made(
    cluster: RefusingCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timer_job, "START_S", 0.0)
    cluster.runs_jobs = False
    live("quota", cluster, tmp_path)
    with pytest.raises(FaultFailed, match=r"its controller has not begun it .* nothing was refused"):
        faults.admission.refuse_by_quota("inference", 40)
    assert not cluster.quotas
    assert "fault.start" not in kinds(tmp_path)
    faults.admission.let_in()
    assert not cluster.jobs


@pytest.mark.parametrize("by", REFUSE)
def test_a_refusal_by_somebody_else_is_no_evidence(by: str, cluster: RefusingCluster, tmp_path: Path) -> None:
    live(by, cluster, tmp_path)
    REFUSE[by]("inference", 40)
    cluster.otherwise = answered(403, 'pods "x" is forbidden: exceeded quota: theirs')
    with pytest.raises(NoData, match=rf"not by {NAME}: .*exceeded quota: theirs"):
        refused("act")
    cluster.otherwise = answered(503, "the server is currently unable to handle the request")
    with pytest.raises(NoData, match="503"):
        refused("act")


def event(reason: str, message: str) -> Any:
    return SimpleNamespace(reason=reason, message=message)


def test_what_is_not_replaced_is_known_by_what_its_controller_was_told(cluster: RefusingCluster, tmp_path: Path) -> None:
    live("webhook", cluster, tmp_path)
    assert not not_replaced("act")
    cluster.events = [event("FailedCreate", 'Error creating: pods "x" is forbidden: exceeded quota: theirs'), event("Killing", NAME)]
    assert not not_replaced("act")
    cluster.events.append(event("FailedCreate", f'Error creating: Internal error occurred: failed calling webhook "{NAME}.aftershock.dev"'))
    assert not_replaced("act")


def test_what_is_not_replaced_is_known_where_kubernetes_drops_events_too(cluster: RefusingCluster, tmp_path: Path) -> None:
    live("quota", cluster, tmp_path)
    words = f'pods "x" is forbidden: exceeded quota: {NAME}'
    cluster.conditions = [SimpleNamespace(type="Progressing", reason="FailedCreate", message=words)]
    assert not not_replaced("act")
    cluster.conditions = [SimpleNamespace(type="ReplicaFailure", reason="FailedCreate", message=words)]
    assert not_replaced("act")


def test_a_fault_on_pods_has_no_such_evidence(cluster: RefusingCluster, tmp_path: Path) -> None:
    [target] = resolve("quota", cluster)
    live_run(cluster, tmp_path, {"act": [target.model_copy(update={"kind": "Pod"})]})
    for probe in (refused, not_replaced):
        with pytest.raises(NoData, match="none of its targets is a namespace"):
            probe("act")
