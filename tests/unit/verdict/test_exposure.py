"""Whether users' requests met the replicas that were hit, on runs whose routing is known from how they were made."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from history.plan import ResolvedTarget
from history.reader import Run
from history.result import Check, Verdict
from history.schema import SAMPLES, Series
from testing.histories.truth import FAULT_NS, Hit, World
from testing.histories.truth_plan import NODES, REPLICAS
from tests.unit.verdict.conftest import built
from verdict import judge
from verdict.statistics import mean_for

WORLD = World(hits=(Hit(0.2, 3.0),), rate_rps=60.0)
NEEDED = 6.296  # for 3 with 95 %, the outage at 99 %


def run_of(world: World = WORLD, *, role: str = "inference", connections: str = "users", **workload: object) -> Run:
    run = built(world).run
    first = run.plan.requests
    load = first.load.model_copy(update={"connections": first.load.connections.model_validate({"mode": connections})})
    changed = first.model_copy(update={"role": role, "load": load, **workload})
    return replace(run, plan=run.plan.model_copy(update={"workloads": (changed,)}))


def with_rows(run: Run, **columns: pl.Expr | pl.Series | None) -> Run:
    return replace(run, requests=run.requests.with_columns(**columns))


def nameless(run: Run) -> Run:
    return with_rows(run, pod=pl.lit(None, pl.String()))


def aimed(run: Run, *targets: ResolvedTarget) -> Run:
    return replace(run, plan=run.plan.model_copy(update={"targets": targets}))


def exposure(run: Run) -> Check | None:
    return next((check for check in judge(run).checks if check.name == "exposure"), None)


def checked(run: Run) -> Check:
    found = exposure(run)
    assert found is not None
    return found


def asked_for(run: Run, seconds: float) -> int:
    return run.requests.filter(pl.col("intended_ns").is_between(FAULT_NS, FAULT_NS + int(seconds * 1e9))).height


@pytest.mark.parametrize(("hits", "mean"), [(1, 2.996), (2, 4.744), (3, 6.296), (6, 10.513)])
def test_the_mean_that_gives_so_many_with_95_percent(hits: int, mean: float) -> None:
    assert mean_for(hits) == pytest.approx(mean, abs=1e-3)  # of the table of Poisson's limits, Gehrels 1986


def test_a_third_of_what_was_asked_met_the_one_of_three() -> None:
    run = run_of()
    check = checked(run)
    assert check.verdict is Verdict.PASS
    assert check.budget == pytest.approx(NEEDED, abs=1e-3)
    assert check.measured == pytest.approx(asked_for(run, WORLD.heal_s) / 3, rel=0.02)  # the RTO's budget is longer than was watched


def test_only_the_length_of_the_fault_counts_where_it_ends_by_itself() -> None:
    run = run_of()
    short = replace(run, plan=run.plan.model_copy(update={"timers": run.plan.timers.model_copy(update={"fault_s": 2.0})}))
    assert checked(short).measured == pytest.approx(asked_for(run, 2.0) / 3, rel=0.05)


def test_too_few_requests_leave_the_run_open_and_say_which_rate_would_do() -> None:
    run = run_of(replace(WORLD, hits=(), rate_rps=30.0))
    few = replace(run, plan=run.plan.model_copy(update={"timers": run.plan.timers.model_copy(update={"fault_s": 0.2})}))
    verdict, check = judge(few), checked(few)
    assert (check.verdict, verdict.verdict) == (Verdict.INCONCLUSIVE, Verdict.INCONCLUSIVE)
    rate = re.search(r"raise the rate to ([\d.]+) requests/s", check.sentence)
    assert rate is not None
    assert float(rate[1]) == pytest.approx(30 * NEEDED / (check.measured or 0), abs=0.1)
    assert all(one.verdict is not Verdict.PASS for one in verdict.checks if one.name in {"rto", "availability"})


def test_a_failure_that_was_seen_stays_one() -> None:
    run = run_of(replace(WORLD, rto_budget_s=1.0))
    few = nameless(run)
    assert checked(few).verdict is Verdict.INCONCLUSIVE
    assert judge(few).verdict is Verdict.FAIL


@pytest.mark.parametrize(
    "run",
    [
        pytest.param(run_of(role="gateway"), id="no replica of the role"),
        pytest.param(run_of(role=""), id="an older plan, without a role"),
        pytest.param(aimed(run_of(), *(ResolvedTarget(kind="Pod", name=pod) for pod in REPLICAS)), id="all replicas"),
        pytest.param(run_of(replace(WORLD, fault="none", hits=())), id="null control"),
        pytest.param(run_of(replace(WORLD, fault="sham", hits=())), id="sham control"),
    ],
)
def test_it_is_made_only_where_some_replicas_were_hit_and_not_all(run: Run) -> None:
    assert exposure(run) is None


def test_a_node_hits_its_replicas_and_so_does_a_device_of_it() -> None:
    run = run_of()
    untold = replace(run, events=run.events.with_columns(detail=pl.col("detail").str.replace(f"Pod/{REPLICAS[0]}", "x/elsewhere")))
    for target in (ResolvedTarget(kind="Node", name=NODES[1]), ResolvedTarget(kind="Device", name="gpu-0", node=NODES[1])):
        assert checked(aimed(untold, target)).measured == pytest.approx(asked_for(run, WORLD.heal_s) / 3, rel=0.02)


def test_without_a_source_it_is_not_known_and_the_fair_share_is_only_shown() -> None:
    check = checked(nameless(run_of()))
    assert (check.verdict, check.measured) == (Verdict.INCONCLUSIVE, None)
    assert "no answer names its pod" in check.sentence
    assert "A fair share would be 33 %" in check.sentence
    assert "Let answers name their pod in the header x-pod, or connect for each_request" in check.sentence


def test_a_header_that_names_something_else_is_no_source() -> None:
    check = checked(with_rows(run_of(), pod=pl.lit("envoy-1")))
    assert check.verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("mode", "affinity", "known"),
    [
        ("each_request", "None", True),
        ("each_request", "ClientIP", False),
        ("users", "None", False),
        ("each_request", "", False),
        ("shared", "None", False),
    ],
)
def test_the_fair_share_counts_for_a_connection_each_to_a_service_without_affinity(mode: str, affinity: str, known: bool) -> None:
    run = nameless(run_of(connections=mode, session_affinity=affinity))
    check = checked(run)
    assert (check.verdict is Verdict.PASS) is known
    assert ("the fair share of a Service" in check.sentence) is known


def counted(run: Run, grown: dict[str, float]) -> Run:
    rows: list[dict[str, Any]] = [
        {
            "t_ns": FAULT_NS - int(before_s * 1e9),
            "series": Series.SERVED.value,
            "labels": json.dumps({"pod": pod}),
            "value": 1000.0 + share * grew,
        }
        for pod, grew in grown.items()
        for before_s, share in ((14.0, 0.0), (2.0, 1.0))
    ]
    return replace(run, samples=pl.concat([run.samples, pl.DataFrame(rows, schema=SAMPLES)]))


def test_the_pods_own_counters_say_it_where_no_header_does() -> None:
    run = run_of()
    check = checked(counted(nameless(run), {REPLICAS[0]: 100.0, REPLICAS[1]: 300.0, REPLICAS[2]: 600.0}))
    assert check.measured == pytest.approx(asked_for(run, WORLD.heal_s) / 10, rel=0.02)
    assert "10 % of the baseline's requests went by the pods' own counters" in check.sentence


def test_a_pod_whose_counter_was_not_read_leaves_it_unknown() -> None:
    assert checked(counted(nameless(run_of()), {REPLICAS[0]: 100.0, REPLICAS[1]: 300.0})).measured is None


def test_a_replica_that_nobody_was_sent_to_before_shows_nothing() -> None:
    check = checked(with_rows(run_of(), pod=pl.when(pl.col("pod") == REPLICAS[0]).then(pl.lit(REPLICAS[1])).otherwise("pod")))
    assert (check.verdict, check.measured) == (Verdict.INCONCLUSIVE, 0.0)
    assert "no answer came from there before the fault" in check.sentence


def pinned(run: Run) -> Run:
    """Let each connection lead to one replica, and requests after the fault keep away from the one that was hit."""
    away = (pl.col("intended_ns") > FAULT_NS + 200_000_000) & (pl.col("pod") == REPLICAS[0])
    moved = with_rows(run, pod=pl.when(away).then(pl.lit(REPLICAS[1])).otherwise("pod"))
    return with_rows(moved, connection=pl.col("pod").replace_strict(list(REPLICAS), [1, 2, 3], return_dtype=pl.Int64()))


def test_a_shared_pool_that_keeps_away_met_only_what_it_sent() -> None:
    shared, users = checked(pinned(run_of(connections="shared"))), checked(pinned(run_of(connections="users")))
    assert (shared.verdict, users.verdict) == (Verdict.INCONCLUSIVE, Verdict.PASS)
    assert (shared.measured or 0) <= 6
    assert "let users have connections of their own" in shared.sentence


def test_a_shared_pool_behind_a_balancer_of_requests_is_routed_as_any() -> None:
    shared = with_rows(run_of(connections="shared"), connection=pl.lit(1, pl.Int64()))
    assert checked(shared).verdict is Verdict.PASS


def test_counters_say_nothing_of_connections_that_are_shared() -> None:
    check = checked(counted(nameless(run_of(connections="shared")), dict.fromkeys(REPLICAS, 100.0)))
    assert check.measured is None
    assert "connections that are shared keep to replicas that answer" in check.sentence
