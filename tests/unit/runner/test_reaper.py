"""The reaper: acts when the run is dead or late, undoes what the API can, and has no right beyond that."""

from __future__ import annotations

from typing import Any

import pytest
import urllib3
from kubernetes.client.exceptions import ApiException

from history.clock import now_ns
from history.errors import FaultFailed, TargetRefused, UndoFailed
from history.plan import ResolvedTarget
from kube.chaos_mesh.chaos import NETWORK
from kube.client import Platform
from kube.permissions import Permission
from runner.experiment.experiment import Experiment
from safety import reaper_job, reaper_rights
from safety.chaos import detail_of, name_of
from safety.reaper import BY_API, BY_HEAL, CLOSED, FOR_HEAL, HEALED, Reaper, reach, watch
from safety.undo_journal import Undo, UndoKind, open_journal
from target.environment import target_of
from testing.runs.runner_cluster import LOST as RUN
from testing.runs.runner_cluster import RunnerCluster, alive, cordoned
from testing.runs.runner_parts import plan_of

LATE_NS, NEVER_NS = 0, 2**62
CORDONING = [Permission("patch", "nodes")]


def reaper(platform: Platform, deadline_ns: int = NEVER_NS, *entries: Undo) -> Reaper:
    journal = open_journal(platform, RUN, "me", "serving/zone-lost")
    for entry in entries:
        journal.will_undo(entry)
    return Reaper(platform, journal, RUN, deadline_ns)


def test_a_run_that_is_alive_is_left_alone(cluster: RunnerCluster, platform: Platform) -> None:
    alive(cluster, platform)
    assert reaper(platform, NEVER_NS, cordoned(cluster)).look() == ""
    assert cluster.nodes["gpu-a"].spec.unschedulable


def test_a_dead_runs_cordon_is_undone_and_marked(cluster: RunnerCluster, platform: Platform) -> None:
    made = reaper(platform, NEVER_NS, cordoned(cluster), cordoned(cluster, "cpu-a"))
    assert made.look() == HEALED
    assert not cluster.nodes["gpu-a"].spec.unschedulable
    assert not cluster.nodes["cpu-a"].spec.unschedulable
    assert all(entry.done for entry in made.journal.entries())


def test_a_run_that_is_late_is_ended_although_it_lives(cluster: RunnerCluster, platform: Platform) -> None:
    alive(cluster, platform)
    assert reaper(platform, LATE_NS, cordoned(cluster)).look() == HEALED
    assert not cluster.nodes["gpu-a"].spec.unschedulable


def test_another_runs_lease_keeps_nobody_alive(cluster: RunnerCluster, platform: Platform) -> None:
    alive(cluster, platform, "another-run")
    assert reaper(platform, NEVER_NS, cordoned(cluster)).look() == HEALED


def test_a_cordon_of_somebody_else_stays(cluster: RunnerCluster, platform: Platform) -> None:
    entry = cordoned(cluster)
    cluster.nodes["gpu-a"].metadata.annotations = {"aftershock.dev/cordoned-by": "somebody"}
    assert reaper(platform, NEVER_NS, entry).look() == HEALED
    assert cluster.nodes["gpu-a"].spec.unschedulable


def test_what_ends_by_itself_is_waited_for(cluster: RunnerCluster, platform: Platform) -> None:
    soon = Undo(kind=UndoKind.POWER_ON, activity="a", object="gpu-a", ends_by_ns=now_ns() + 10**12, self_ends="the driver")
    over = soon.model_copy(update={"object": "cpu-a", "ends_by_ns": 1})
    made = reaper(platform, NEVER_NS, soon, over)
    assert made.look() == ""
    assert [entry.done for entry in made.journal.entries()] == [False, True]


@pytest.mark.parametrize("kind", [UndoKind.RESTORE_DATA, UndoKind.REPLACE_POD, UndoKind.DELETE_WEBHOOK, UndoKind.DELETE_QUOTA])
def test_damaged_data_signalled_pods_and_what_refused_new_ones_stay_open_for_heal(
    kind: UndoKind, cluster: RunnerCluster, platform: Platform
) -> None:
    over = Undo(kind=kind, activity="a", object="s3-0", namespace="ml-serving", ends_by_ns=1, self_ends="its program")
    made = reaper(platform, NEVER_NS, over, cordoned(cluster))
    assert made.look() == FOR_HEAL
    assert [entry.done for entry in made.journal.entries()] == [False, True]
    assert not cluster.nodes["gpu-a"].spec.unschedulable


def test_a_closed_journal_ends_the_reaper(platform: Platform) -> None:
    made = reaper(platform)
    made.journal.close()  # type: ignore[attr-defined]  # the real journal
    assert made.look() == CLOSED


def test_it_asks_again_until_it_is_done(cluster: RunnerCluster, platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("safety.reaper.POLL_S", 0.0)
    failures = [UndoFailed("no answer"), TargetRefused("no answer")]

    def sometimes(self: Reaper) -> str:
        if failures:
            raise failures.pop()
        return HEALED

    monkeypatch.setattr(Reaper, "look", sometimes)
    assert watch(reaper(platform)) == HEALED


def test_it_waits_for_an_api_server_that_does_not_answer_yet(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("safety.reaper.POLL_S", 0.0)
    failures = [ApiException(503), urllib3.exceptions.ConnectTimeoutError()]

    def offset(_api: object) -> float:
        if failures:
            raise failures.pop()
        return 1.5

    monkeypatch.setattr("safety.reaper.clock_offset_s", offset)
    assert reach(platform.target, platform.api).clock_offset_s == 1.5


class Watched(RunnerCluster):
    """Notes which rights its calls need, as (verb, resource)."""

    def __init__(self) -> None:
        super().__init__()
        self.used: set[tuple[str, str]] = set()

    def __getattribute__(self, name: str) -> object:
        verb, _, what = name.partition("_")
        if verb in VERBS and not what.startswith("_"):
            resource = f"{what.removeprefix('namespaced_').replace('_', '')}s"
            self.used.add((VERBS[verb], resource))
        return super().__getattribute__(name)


VERBS = {"read": "get", "get": "get", "list": "list", "patch": "patch", "replace": "update", "create": "create", "delete": "delete"}


def rights(experiment: Experiment) -> set[tuple[str, str]]:
    """Return what the reaper of a run may do that cordons and cuts; the client calls every kind of a chaos object a custom object."""
    plan = plan_of(experiment, run_id=RUN, targets=(*nodes("gpu-a"), POD))
    cuts = reaper_rights.chaos_rules(plan, ENDING)
    assert [rule["resources"] for rule in cuts] == [["networkchaos"]]
    rules: list[dict[str, Any]] = [*reaper_rights.own_rules(RUN), *reaper_rights.node_rules(plan.targets)]
    rules += [rule | {"resources": ["customobjects"]} for rule in cuts]
    return {(verb, resource) for rule in rules for verb in rule["verbs"] for resource in rule["resources"]}


def test_its_rights_are_exactly_what_undoing_takes(experiment: Experiment) -> None:
    cluster = Watched()
    entries = [Undo(kind=kind, activity="a", object="gpu-a", namespace="ml-serving", detail=RUN, ends_by_ns=1) for kind in UndoKind]
    of_chaos = {"detail": detail_of(NETWORK, POD)}
    entries = [one.model_copy(update=of_chaos if one.kind is UndoKind.DELETE_CHAOS else {}) for one in entries]
    made = reaper(cluster.platform(), NEVER_NS, cordoned(cluster), *entries)
    cluster.used.clear()
    assert made.look() == FOR_HEAL
    assert cluster.used == rights(experiment)
    assert {entry.kind for entry in made.journal.entries() if not entry.done} == BY_HEAL


def test_every_kind_is_undone_by_it_or_by_heal_or_by_itself() -> None:
    assert BY_API.isdisjoint(BY_HEAL)
    by_driver = {UndoKind.POWER_ON, UndoKind.REPAIR_GPU, UndoKind.START_CONTROL_PLANE}
    by_itself = by_driver | {UndoKind.DELETE_POD, UndoKind.END_LOAD, UndoKind.NOTHING}
    assert set(UndoKind) - BY_API - BY_HEAL == by_itself


# its Job


def test_only_runs_that_cordon_or_cut_by_an_object_need_one() -> None:
    assert reaper_job.needs_reaper([Permission("get", "nodes"), Permission("patch", "nodes")])
    assert reaper_job.needs_reaper(ENDING)
    assert not reaper_job.needs_reaper([Permission("delete", "podchaos", "chaos-mesh.org", "aftershock")])
    assert not reaper_job.needs_reaper([Permission("get", "nodes"), Permission("patch", "pods/ephemeralcontainers", namespace="x")])


ENDING = [Permission("delete", "networkchaos", "chaos-mesh.org", "aftershock")]
POD = ResolvedTarget(kind="Pod", name="inference-a", namespace="ml-serving", uid="uid-inference-a", node="gpu-a")


def test_one_that_cordons_nothing_has_no_right_to_any_node(cluster: RunnerCluster, platform: Platform, experiment: Experiment) -> None:
    """A rule on nodes without names would be one on all of them."""
    reaper_job.start(platform, plan_of(experiment, run_id=RUN, targets=(POD,)), ENDING)
    assert not {kind for kind, _ in cluster.objects} & {"cluster_role", "cluster_role_binding"}
    (role,) = (body for (kind, _), body in cluster.objects.items() if kind == "role")
    assert role["rules"][-1] == {
        "apiGroups": ["chaos-mesh.org"],
        "resources": ["networkchaos"],
        "resourceNames": [name_of(RUN, POD)],
        "verbs": ["get", "delete"],
    }
    needed = reaper_job.reaper_permissions("aftershock", ENDING)
    assert all(one.namespace == "aftershock" for one in needed)
    assert any(one.namespace is None for one in reaper_job.reaper_permissions("aftershock", [Permission("patch", "nodes")]))


def nodes(*names: str) -> tuple[ResolvedTarget, ...]:
    return tuple(ResolvedTarget(kind="Node", name=name, uid="u", node=name) for name in names)


def test_it_is_made_with_the_least_rights_away_from_what_is_hit_and_removed_whole(
    cluster: RunnerCluster, platform: Platform, experiment: Experiment
) -> None:
    plan = plan_of(experiment, run_id=RUN, targets=nodes("cpu-c", "gpu-c"))
    reaper_job.start(platform, plan, CORDONING)
    made = {kind: body for (kind, _), body in cluster.objects.items()}
    assert made["cluster_role"]["rules"] == [
        {"apiGroups": [""], "resources": ["nodes"], "resourceNames": ["cpu-c", "gpu-c"], "verbs": ["get", "patch"]}
    ]
    journal, leases = made["role"]["rules"]
    assert journal["resourceNames"] == [f"aftershock-run-{RUN}"]
    assert leases["verbs"] == ["list"]
    pod = made["job"]["spec"]["template"]["spec"]
    affinity = pod["affinity"]["nodeAffinity"]
    assert affinity["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"][0]["matchExpressions"][0] == {
        "key": "kubernetes.io/hostname",
        "operator": "NotIn",
        "values": ["cpu-c", "gpu-c"],
    }
    assert affinity["preferredDuringSchedulingIgnoredDuringExecution"][0]["preference"]["matchExpressions"][0]["values"] == ["cpu-a"]
    assert pod["serviceAccountName"] == made["service_account"]["metadata"]["name"]
    environment = {one["name"]: one["value"] for one in pod["containers"][0]["env"]}
    carried = target_of(environment)
    assert carried.suite.namespace == "aftershock"
    assert not carried.only_region().endpoints
    assert not carried.workloads
    assert int(environment["AFTERSHOCK_DEADLINE_NS"]) > now_ns()
    assert reaper_job.runs(platform) == {RUN}
    assert len(reaper_job.remove(platform, RUN)) == 6
    assert not cluster.objects
    assert reaper_job.remove(platform, RUN) == []


def test_a_reaper_that_does_not_watch_lets_nothing_be_injected(
    cluster: RunnerCluster, platform: Platform, experiment: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("safety.reaper_job.START_S", 0.05)
    cluster.reaper_says = ""
    with pytest.raises(FaultFailed, match="nobody would undo the fault"):
        reaper_job.start(platform, plan_of(experiment, run_id=RUN, targets=nodes("gpu-c")), CORDONING)


def test_a_reaper_that_is_gone_lets_nothing_be_injected(cluster: RunnerCluster, platform: Platform, experiment: Experiment) -> None:
    reaper_job.start(platform, plan_of(experiment, run_id=RUN, targets=nodes("gpu-c")), CORDONING)
    reaper_job.check(platform, RUN)
    del cluster.pods["aftershock", reaper_job.name_of(RUN)]
    with pytest.raises(FaultFailed, match="it does not watch any more"):
        reaper_job.check(platform, RUN)


def test_names_fit_into_labels() -> None:
    assert len(reaper_job.name_of("20261121-120000-" + "x" * 80)) <= 63


@pytest.mark.parametrize(("phase", "last"), [("Succeeded", ""), ("Failed", ""), ("Running", f"\nreaper: {HEALED}")])
def test_a_reaper_that_said_once_that_it_watches_and_ended_lets_nothing_be_injected(
    platform: Platform, cluster: RunnerCluster, experiment: Experiment, phase: str, last: str
) -> None:
    reaper_job.start(platform, plan_of(experiment, run_id=RUN), [])
    reaper_job.check(platform, RUN)
    [made] = [pod for pod in cluster.pods.values() if "job-name" in (pod.metadata.labels or {})]
    made.status.phase, cluster.reaper_says = phase, cluster.reaper_says + last
    with pytest.raises(FaultFailed, match="it does not watch any more"):
        reaper_job.check(platform, RUN)
