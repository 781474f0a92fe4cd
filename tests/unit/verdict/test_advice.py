"""Each cause is found in its weak platform, names the field and what it would bring, and is not found in one that is built well."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import faults.weights
from history.layout import Probe
from history.plan import Floor, ResolvedTarget
from history.reader import Run
from history.result import RunVerdict, Verdict
from history.schema import EventKind
from testing.histories.edits import add_event, asked, change_details, change_rows, with_plan
from testing.histories.layouts import GATEWAY, WELL, layout, role
from testing.histories.truth import Hit
from testing.histories.truth_plan import REPLICAS
from tests.unit.verdict.conftest import HIT, run_of
from verdict import judge
from verdict.advice.advise import CAUSES, MOST, advise
from verdict.advice.observed import Observed

USERS = frozenset({"rto", "availability"})
CAPACITY = frozenset({"capacity_rto"})
LOST, FETCHED = frozenset({"rpo_jobs", "ended_once"}), frozenset({"fetched"})
LOST_ANSWERS = frozenset({"rpo_requests"})
EVICTION = Floor(capacity_rto_s=339, timers="eviction alone takes 39 s + 300 s", dominant="tolerationSeconds of Deployment inference")
LIVENESS = Floor(capacity_rto_s=58, timers="a restart alone takes 58 s", dominant="livenessProbe of Deployment inference")
PATIENT = Probe(asks="HTTP /health", period_s=30, failures=3)
DELAYED = Probe(asks="HTTP /health", delay_s=60)
QUICK = Probe(asks="HTTP /health", period_s=10, failures=3)
QUEUE = {"role": "redis", "where": "StatefulSet redis"}
CONSUMERS = role(role="consumer", where="Deployment async-consumer")
HUNG = {"rto": 40.0, "target_green": 40.0, "requests_bad": 80.0, "bad_late": 79.0, "bad_seconds": 12.0}


def seen(**changes: Any) -> Observed:
    """Return what a run showed in which a replica of a role was lost and users were not served for 40 s."""
    return replace(Observed(failed=USERS, role=WELL, gateway=GATEWAY, values={"rto": 40.0, "full_capacity": 40.0}), **changes)


WEAK: list[tuple[str, Observed, str, str]] = [
    ("single-replica", seen(role=role(wanted=1, ready=1, nodes=1)), "spec.replicas", "not for the 14 s that a replica takes"),
    (
        "all-on-one-node", seen(role=role(nodes=1, zones=("a",)), on_nodes=True, hit=3),
        "spec.template.spec.topologySpreadConstraints", "All 3 replicas of Deployment inference stood on the node",
    ),
    (
        "all-in-one-zone", seen(role=role(zones=("a",)), on_nodes=True, hit=3),
        "spec.template.spec.topologySpreadConstraints", "stood in zone a",
    ),
    (
        "pinned", seen(failed=CAPACITY, role=role(pinned=("PersistentVolumeClaim data-0 lies on node gpu-a",)), on_nodes=True),
        "spec.volumeClaimTemplates", "only with the lost node",
    ),
    (
        "long-toleration",
        seen(failed=CAPACITY, role=role(toleration_s=300.0), on_nodes=True, floor=EVICTION, values={"full_capacity": 352.0}),
        "spec.template.spec.tolerations[].tolerationSeconds", "after 69 s at the earliest, not after 339 s",
    ),
    (
        "long-toleration", seen(failed=CAPACITY, role=role(toleration_s=float("inf")), on_nodes=True),
        "spec.template.spec.tolerations[].tolerationSeconds", "for ever",
    ),
    (
        "no-disruption-budget", seen(graceful=True, on_nodes=True, hit=2, role=role(disruption=())),
        "PodDisruptionBudget spec.maxUnavailable", "evicted 2 of 3 replicas",
    ),
    (
        "no-pre-stop",
        seen(failed=frozenset({"interrupted"}), graceful=True, role=role(pre_stop=False), values={"bad_refused": 4.0, "bad_cut": 3.0}),
        "spec.template.spec.containers[].lifecycle.preStop", "7 requests were refused, failed or cut",
    ),
    (
        "short-grace", seen(failed=frozenset({"interrupted"}), graceful=True, role=role(grace_s=1.0), values={"bad_cut": 3.0}),
        "spec.template.spec.terminationGracePeriodSeconds", "is killed 1 s after it was told to leave",
    ),
    (
        "ready-before-loaded", seen(graceful=True, hit=3, values={"rto": 35.0, "wrong_green": 30.0}),
        "spec.template.spec.containers[].readinessProbe", "For 30 s every new replica of Deployment inference called itself healthy",
    ),
    (
        "names-forgotten", seen(role=GATEWAY, gateway=None, by_dns=True, hit=3, own=False),
        "how long it keeps what DNS said (HAProxy: resolvers, hold)", "While DNS did not answer Deployment gateway",
    ),
    (
        "queue-without-bound",
        seen(surged=True, hit=3, values={"rto": 70.0, "outlived": 40.0, "requests_bad": 900.0, "bad_late": 880.0}),
        "how long a request may wait for a replica (HAProxy: timeout queue)", "For 40 s after the load was back users still waited",
    ),
    (
        "unverified-weights", seen(failed=LOST_ANSWERS, by_weights=True, wrong_by_new=73, asked=WELL, values={"bad_seconds": 40.0}),
        "whether the server verifies the digest of its weights (here: WEIGHTS_CHECK=digest)",
        "73 wrong answers came from pods of Deployment inference that started during the fault: the server does not verify the digest",
    ),
    (
        "no-room", seen(failed=CAPACITY, on_nodes=True, unplaced_s=48.0, values={"full_capacity": 122.0}),
        "spec.template.spec.affinity, or a node more", "waited 48 s for a node",
    ),
    (
        "no-liveness", seen(failed=CAPACITY, stays=True, role=role(liveness=None), values={"full_capacity": 160.0}),
        "spec.template.spec.containers[].livenessProbe", "neither gone nor started again",
    ),
    (
        "acknowledged-first", seen(failed=LOST, role=CONSUMERS, values={"jobs_lost": 2.0, "backlog_left": 0.0}),
        "when a consumer acknowledges (XACK)", "2 accepted jobs never ended and did not stand in the queue",
    ),
    (
        "never-reclaimed", seen(failed=LOST, role=CONSUMERS, values={"jobs_lost": 1.0, "backlog_left": 1.0}),
        "after how long a consumer takes over what another one has (XAUTOCLAIM min-idle-time)", "still stood in the queue",
    ),
    (
        "queue-in-memory",
        seen(failed=FETCHED, role=role(**QUEUE), own=False, values={"results_missing": 80.0, "results_missing_since": 1.0}),
        "how the queue is kept (Redis: appendonly, and the volume of its folder)", "80 results of jobs that are done were gone",
    ),
    (
        "queue-not-synced", seen(failed=FETCHED, role=role(**QUEUE), own=False, on_nodes=True, values={"jobs_lost": 1.0}),
        "when a write is acknowledged (Redis: appendfsync)", "1 accepted job was gone when StatefulSet redis came back with its node",
    ),
    (
        "results-forgotten",
        seen(failed=FETCHED, own=False, asked=CONSUMERS, values={"results_missing": 300.0, "results_missing_since": 240.0}),
        "how long a result is kept", "300 results of jobs that are done were gone",
    ),
    (
        "dies-of-poison", seen(role=role(**QUEUE), own=False, asked=CONSUMERS, own_restarts=4, values={"rto": 60.0, "oldest_job": 90.0}),
        "what a consumer does with an entry that it cannot work on", "of Deployment async-consumer was started again 4 times",
    ),
    ("blind-health", seen(hung=True, values=HUNG), "spec.template.spec.containers[].readinessProbe", "stayed green for 40 s"),
    (
        "killed-while-loading",
        seen(failed=CAPACITY, restarts=2, role=role(liveness=QUICK, startup=None), values={"full_capacity": 95.0}),
        "spec.template.spec.containers[].startupProbe", "started again 2 times before it was ready, and its liveness probe allows 30 s",
    ),
    (
        "liveness-asks-others", seen(on_control_plane=True, hit=0, own_restarts=3, role=role(liveness=Probe(asks="a command", period_s=5))),
        "spec.template.spec.containers[].livenessProbe", "started again 3 times while nothing but the control plane was away",
    ),
    (
        "no-readiness-probe", seen(role=role(readiness=None, startup=None), values={"rto": 12.0, "requests_bad": 30.0, "phase_warm": 9.0}),
        "spec.template.spec.containers[].readinessProbe", "30 requests were bad): a probe that fails until it has loaded",
    ),
    (
        "gateway-without-health-checks", seen(values={"rto": 41.0, "time_to_detection": 3.0}),
        "health checks of its upstreams", "For 41 s users were sent to what was hit, which the platform noticed after 3 s, while 2 of 3",
    ),
    (
        "no-request-timeout", seen(hung=True, values=HUNG),
        "time-out of a request, and one retry on another replica", "79 of 80 bad requests waited",
    ),
    (
        "slow-liveness", seen(failed=CAPACITY, hung=True, role=role(liveness=PATIENT), floor=LIVENESS, values={"full_capacity": 95.0}),
        "spec.template.spec.containers[].livenessProbe.periodSeconds", "that is 75 s earlier",
    ),
    (
        "late-first-check",
        seen(failed=CAPACITY, role=role(startup=DELAYED), values={"full_capacity": 70.0, "phase_load": 61.0, "phase_start": 2.0}),
        "spec.template.spec.containers[].startupProbe.periodSeconds", "not asked whether it is ready before 60 s",
    ),
    (
        "no-liveness", seen(failed=CAPACITY, hung=True, role=role(liveness=None), values={"full_capacity": 95.0}),
        "spec.template.spec.containers[].livenessProbe", "neither gone nor started again",
    ),
    (
        "slow-load", seen(failed=CAPACITY, values={"full_capacity": 95.0, "phase_load": 80.0, "phase_start": 3.0}),
        "spec.replicas", "took 83 s of 95 s",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("cause", "weak", "field", "part"), WEAK, ids=[f"{one[0]}-{index}" for index, one in enumerate(WEAK)])
def test_a_weak_platform_is_told_its_cause_with_the_field_to_change(cause: str, weak: Observed, field: str, part: str) -> None:
    found = {one.cause: one for one in advise(weak)}
    assert cause in found
    assert found[cause].field == field
    assert part in found[cause].sentence
    assert found[cause].sentence.endswith(".")
    assert len(found) <= MOST


def test_every_cause_has_a_weak_platform_here() -> None:
    assert {one.__name__.replace("_", "-") for one in CAUSES} == {one[0] for one in WEAK}


@pytest.mark.parametrize("weak", [one[1] for one in WEAK], ids=[f"{one[0]}-{index}" for index, one in enumerate(WEAK)])
def test_of_a_run_in_which_nothing_failed_nothing_is_said(weak: Observed) -> None:
    assert advise(replace(weak, failed=frozenset())) == ()


def test_a_platform_that_is_built_well_is_told_that_no_cause_was_found() -> None:
    assert advise(seen(failed=CAPACITY, values={"full_capacity": 95.0})) == ()
    assert advise(seen(failed=CAPACITY, on_nodes=True, floor=EVICTION, values={"full_capacity": 95.0})) == ()


def test_what_explains_most_stands_first_and_three_are_named() -> None:
    weak = role(toleration_s=300.0, pinned=("nodeAffinity requires node gpu-a",), nodes=1, zones=("a",), readiness=None)
    values = {"rto": 380.0, "full_capacity": 380.0, "requests_bad": 90.0, "phase_warm": 7.0}
    found = advise(seen(failed=USERS | CAPACITY, role=weak, on_nodes=True, hit=3, floor=EVICTION, values=values))
    assert [one.cause for one in found] == ["all-on-one-node", "pinned", "long-toleration"]
    assert [one.explains_s for one in found] == [380.0, 380.0, 300.0]


# of a whole run

LATE = replace(HIT, hits=(Hit(0.2, 70.0),))  # users are not served for 70 s; the budget is 60 s


def judged(run: Run, **changes: object) -> RunVerdict:
    return judge(with_plan(run, **changes))


def test_a_run_that_fails_is_told_why_by_how_the_platform_was_built() -> None:
    verdict = judged(run_of(LATE), layout=layout(role(wanted=1, ready=1, nodes=1)))
    assert verdict.verdict is Verdict.FAIL
    assert verdict.advice is not None
    assert [one.cause for one in verdict.advice][:1] == ["single-replica"]
    assert RunVerdict.model_validate_json(verdict.model_dump_json()) == verdict


def test_no_health_check_sees_wrong_answers() -> None:
    felt = {"rto": 41.0, "requests_bad": 80.0, "bad_wrong": 41.0}
    assert "gateway-without-health-checks" not in [one.cause for one in advise(seen(values=felt))]
    assert "gateway-without-health-checks" in [one.cause for one in advise(seen(values=felt | {"bad_wrong": 40.0}))]


def test_a_run_that_fails_for_no_cause_that_is_known_says_so() -> None:
    one = role(role="another")
    assert judged(run_of(LATE), layout=layout(one)).advice == ()


def test_an_older_run_and_one_that_passes_say_nothing() -> None:
    assert judge(run_of(LATE)).advice is None
    passing = judged(run_of(HIT), layout=layout(role(wanted=1)))
    assert passing.verdict is not Verdict.FAIL
    assert passing.advice is None


def test_restarts_of_a_new_replica_are_counted_from_the_record() -> None:
    run = add_event(run_of(LATE), 30.0, EventKind.POD_CREATED, "inference-new")
    for t_s, restarts in ((35.0, 0), (50.0, 1), (65.0, 2)):
        run = add_event(run, t_s, EventKind.POD_STARTED, "inference-new", container="server", restarts=restarts)
    verdict = judged(run, layout=layout(role(liveness=QUICK, startup=None)))
    assert verdict.advice is not None
    assert any("started again 2 times" in one.sentence for one in verdict.advice)


def test_only_restarts_that_were_seen_since_the_fault_are_counted() -> None:
    run = add_event(run_of(LATE), 30.0, EventKind.POD_CREATED, "inference-new")
    run = add_event(run, 35.0, EventKind.POD_STARTED, "inference-new", container="server", restarts=4)  # its count goes on from before
    run = add_event(run, 50.0, EventKind.POD_STARTED, "inference-new", container="server", restarts=5)
    advice = judged(run, layout=layout(role(liveness=QUICK, startup=None))).advice or ()
    assert any("started again 2 times" in one.sentence for one in advice)


@pytest.mark.parametrize(
    ("cause", "shown"),
    [
        ("killed-while-loading", seen(failed=CAPACITY, role=role(liveness=QUICK, startup=None, load_s=300.0))),
        ("no-liveness", seen(failed=CAPACITY, hung=True, ranks_again=True, role=role(liveness=None))),
        ("slow-liveness", seen(failed=CAPACITY, hung=True, ranks_again=True, role=role(liveness=PATIENT), floor=LIVENESS)),
        ("dies-of-poison", seen(own=False, own_restarts=4)),  # a training job has no queue
    ],
)
def test_no_cause_names_a_restart_that_was_not_seen(cause: str, shown: Observed) -> None:
    assert cause not in [one.cause for one in advise(shown)]


@pytest.mark.parametrize("shown", [{"by_weights": True}, {"wrong_by_new": 73}, {"by_weights": True, "wrong_by_new": 73, "failed": USERS}])
def test_weights_are_no_cause_where_none_were_damaged_or_no_new_replica_answered_wrongly(shown: dict[str, Any]) -> None:
    assert "unverified-weights" not in [one.cause for one in advise(seen(**{"failed": LOST_ANSWERS} | shown))]


NEW = "inference-new01"  # the replica that takes the place of the lost one
STORE = ResolvedTarget(kind="Pod", name="s3-0", effect=f"{faults.weights.EFFECT} uploaded again", ends=faults.weights.ENDS)


@pytest.mark.parametrize(
    ("pod", "more", "found"),
    [(NEW, (STORE,), True), (REPLICAS[1], (STORE,), False), (NEW, (), False)],
    ids=["by a new pod", "by an old pod", "stores not hit"],
)
def test_wrong_answers_of_a_new_replica_are_read_from_the_record(pod: str, more: tuple[ResolvedTarget, ...], found: bool) -> None:
    run = change_rows(run_of(HIT), asked(8, 9), pod=pod, valid=False)
    wrong = run.requests.filter(asked(8, 9)).height
    verdict = judged(run, layout=layout(), targets=(*run.plan.targets, *more))
    assert "rpo_requests" in {check.name for check in verdict.checks if check.verdict is Verdict.FAIL}
    said = [one.sentence for one in verdict.advice or () if one.cause == "unverified-weights"]
    expected = f"{wrong} wrong answers came from pods of Deployment inference that started during the fault: "
    assert [sentence.startswith(expected) for sentence in said] == [True] * found


def test_a_new_replica_without_a_node_and_one_that_stays_away_are_read_from_the_record() -> None:
    run = add_event(run_of(LATE), 30.0, EventKind.POD_CREATED, "inference-new", role="inference")
    waiting = judged(add_event(run, 75.0, EventKind.POD_SCHEDULED, "inference-new", role="inference"), layout=layout())
    assert any("waited 45 s for a node" in one.sentence for one in waiting.advice or ())
    placed = judged(add_event(run, 30.5, EventKind.POD_SCHEDULED, "inference-new", role="inference"), layout=layout())
    assert "no-room" not in [one.cause for one in placed.advice or ()]


def test_where_only_the_control_plane_was_hit_no_cause_speaks_of_a_replica_that_was() -> None:
    weak = seen(on_control_plane=True, hit=0, role=role(toleration_s=300.0, liveness=None, readiness=None), values=HUNG)
    assert advise(replace(weak, on_control_plane=False)), "else there are such causes"
    assert advise(weak) == ()


def test_restarts_while_the_control_plane_was_away_are_read_from_the_record() -> None:
    run = add_event(run_of(LATE), 62.0, EventKind.POD_STARTED, "inference-a", container="server", restarts=1, role="inference")
    run = change_details(run, EventKind.FAULT_START, lambda _, __: {"targets": ["api-server"]})
    away = ResolvedTarget(kind="ControlPlane", name="api-server", effect="the API server down for 60 s", ends="by itself")
    users = run.plan.first.model_copy(update={"role": "inference"})
    verdict = judged(run, layout=layout(role(liveness=QUICK)), targets=(away,), workloads=(users,))
    assert verdict.advice is not None
    assert [one.cause for one in verdict.advice] == ["liveness-asks-others"]
