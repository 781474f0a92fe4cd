"""Measurements of the platform beside its users: health, capacity, detection and phases; a replica is replaced by 7 s."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest

from history.reader import Run
from history.schema import EventKind, Series
from testing.histories.edits import add_event, at, change_details, change_samples, drop_events, drop_samples, with_plan
from testing.histories.truth import FAULT_NS, Hit
from testing.histories.truth_plan import REPLICAS
from tests.unit.verdict.conftest import HIT, measured, run_of
from verdict import judge

CONSTANT = replace(HIT, arrivals="constant", streams=0.0, hits=(Hit(0.195, 3.0),))  # arrivals at 0.19, 0.20, 0.21 …


def test_health_that_stays_green_is_wrong_for_the_whole_outage() -> None:
    world = replace(HIT, hits=(Hit(0.2, 12.0, kind="hang"),), replaced=False)
    verdict = judge(run_of(world))
    outage = verdict.measurement("outage")
    assert outage is not None
    assert measured(run_of(world), "wrong_green").value == pytest.approx(outage.value, abs=0.01)
    green = measured(run_of(world), "target_green")
    assert green.censored
    assert green.value == pytest.approx(world.heal_s, abs=1.0)
    assert measured(run_of(world), "readiness_rto").value == 0.0
    assert measured(run_of(world), "readiness_gap").value == pytest.approx(verdict.measurement("rto").value)  # type: ignore[union-attr]  # asserted above


def test_health_samples_that_stop_do_not_stay_green() -> None:
    world = replace(HIT, hits=(Hit(0.2, 12.0),), replaced=False)
    silent = drop_samples(run_of(world), Series.HEALTH.value, pl.col("t_ns") > at(1.5))
    assert measured(silent, "wrong_green").value == pytest.approx(
        1.0 + 1.0 - 0.2, abs=0.05
    )  # the last answers, at 1 s, hold for one usual period


def test_without_health_samples_readiness_is_asked() -> None:
    world = replace(CONSTANT, hits=(Hit(0.195, 12.0),))
    found = measured(drop_samples(run_of(world), Series.HEALTH.value), "wrong_green")
    assert found.sentence == "readiness"
    assert found.value == pytest.approx((0.41 - 0.2) + (12.2 - 0.6), abs=0.02)  # unready from 0.41 s until gone at 0.60 s


def test_detection_by_a_lost_accelerator() -> None:
    run = drop_events(run_of(HIT), EventKind.ENDPOINT_OUT, EventKind.POD_UNREADY)
    run = add_event(
        add_event(run, -5, EventKind.GPU_ALLOCATABLE, "zone-a-gpu", allocatable=2, capacity=2),
        0.3,
        EventKind.GPU_ALLOCATABLE,
        "zone-a-gpu",
        allocatable=1,
        capacity=2,
    )
    found = measured(run, "time_to_detection")
    assert found.value == pytest.approx(0.3)
    assert found.sentence == "zone-a-gpu has fewer allocatable accelerators"


def test_what_the_suite_saw_first_is_not_what_the_platform_noticed() -> None:
    """Health went red and a hypothesis probe was unmet at once; Kubernetes lost the node after 41 s and said so."""
    quiet = drop_events(run_of(HIT), EventKind.ENDPOINT_OUT, EventKind.POD_UNREADY, EventKind.POD_GONE)
    unnoticed = measured(quiet, "time_to_detection")
    assert (unnoticed.value, unnoticed.sentence) == (None, "the platform showed no sign of it")
    assert measured(quiet, "suite_detection").value == pytest.approx(0.5, abs=0.5)
    noticed = add_event(quiet, 4.1, EventKind.NODE_UNREADY, "zone-a-gpu")
    assert measured(noticed, "time_to_detection").value == pytest.approx(4.1)


def test_a_warning_of_kubernetes_is_a_sign_if_it_is_about_the_platform() -> None:
    quiet = drop_events(run_of(HIT), EventKind.ENDPOINT_OUT, EventKind.POD_UNREADY, EventKind.POD_GONE)
    other = add_event(quiet, 1.0, EventKind.KUBE_EVENT, "somebody-else", kind="Pod", type="Warning", reason="BackOff")
    usual = add_event(other, 1.5, EventKind.KUBE_EVENT, "inference-new01", kind="Pod", type="Normal", reason="Pulled")
    assert measured(usual, "time_to_detection").value is None
    found = measured(
        add_event(usual, 2.0, EventKind.KUBE_EVENT, "inference-new01", kind="Pod", type="Warning", reason="Unhealthy"), "time_to_detection"
    )
    assert (found.value, found.sentence) == (pytest.approx(2.0), "Kubernetes warned: Unhealthy of inference-new01")


def test_a_sign_of_another_role_is_named_as_such_beside_the_first_of_what_was_hit() -> None:
    made = add_event(run_of(HIT), -5.0, EventKind.POD_READY, "gateway-a", node="cpu-a", role="gateway")
    found = measured(add_event(made, 0.1, EventKind.POD_UNREADY, "gateway-a", role="gateway"), "time_to_detection")
    assert found.value == pytest.approx(0.1)
    assert found.sentence.startswith("gateway-a lost Ready, of role gateway, which was not hit; of what was hit, the first sign: ")
    assert REPLICAS[0] in found.sentence
    quiet = drop_events(made, EventKind.ENDPOINT_OUT, EventKind.POD_UNREADY, EventKind.POD_GONE)
    alone = measured(add_event(quiet, 0.1, EventKind.POD_UNREADY, "gateway-a", role="gateway"), "time_to_detection")
    assert alone.sentence.endswith("the first sign: nothing")
    node = measured(add_event(quiet, 0.1, EventKind.NODE_UNREADY, "elsewhere"), "time_to_detection")
    assert node.sentence == "elsewhere lost Ready (node), which was not hit; of what was hit, the first sign: nothing"


def test_a_container_that_restarts_in_place_is_neither_evicted_nor_scheduled() -> None:
    run = drop_events(run_of(HIT), EventKind.POD_CREATED, EventKind.POD_SCHEDULED)
    assert [measured(run, f"phase_{name}").value for name in ("evict", "schedule")] == [None, None]
    assert measured(run, "phase_start").value == pytest.approx(1.4)


def test_capacity_from_samples_where_events_do_not_tell() -> None:
    run = drop_events(run_of(HIT), EventKind.POD_READY, where=pl.col("t_ns") < FAULT_NS)
    assert measured(run, "full_capacity").value == pytest.approx(7.0, abs=1.0)


def test_capacity_that_is_not_back_is_a_lower_bound() -> None:
    run = change_samples(
        drop_events(run_of(HIT), EventKind.POD_READY), Series.READY_REPLICAS.value, pl.when(pl.col("t_ns") > at(0)).then(2.0).otherwise(3.0)
    )
    found = measured(run, "full_capacity")
    assert found.censored
    assert found.value == pytest.approx(HIT.heal_s)


def test_full_capacity_is_what_the_controllers_want_now() -> None:
    lost = change_samples(
        drop_events(run_of(HIT), EventKind.POD_READY), Series.READY_REPLICAS.value, pl.when(pl.col("t_ns") > at(0)).then(2.0).otherwise(3.0)
    )
    counted = lost.samples.filter(pl.col("series") == Series.READY_REPLICAS.value)
    wanted = counted.with_columns(
        series=pl.lit(Series.DESIRED_REPLICAS.value), value=pl.when(pl.col("t_ns") > at(4)).then(2.0).otherwise(3.0)
    )
    scaled = replace(lost, samples=pl.concat([lost.samples, wanted]))
    assert measured(scaled, "full_capacity").value == pytest.approx(4.0, abs=1.01)
    grown = replace(lost, samples=pl.concat([lost.samples, wanted.with_columns(value=pl.lit(4.0))]))
    assert measured(grown, "full_capacity").value is None  # fewer than wanted were ready before the fault


def test_a_replica_that_is_asked_less_often_while_it_does_not_answer_stays_red_in_between() -> None:
    world = replace(HIT, hits=(Hit(0.2, 12.0),))
    dense = measured(run_of(world), "wrong_green").value
    sparse = drop_samples(run_of(world), Series.HEALTH.value, (pl.col("value") == 0) & ((pl.col("t_ns") - at(0)) // 1_000_000_000 % 5 != 1))
    assert sparse.samples.height < run_of(world).samples.height
    assert measured(sparse, "wrong_green").value == pytest.approx(dense, abs=0.01)


def test_a_replica_that_is_ready_but_answers_no_health_question_is_no_capacity() -> None:
    """A node without power: its pod stays Ready until Kubernetes notices."""
    still_ready = drop_events(run_of(HIT), EventKind.POD_UNREADY, EventKind.POD_GONE, where=pl.col("t_ns") > FAULT_NS)
    ill = change_samples(still_ready, Series.HEALTH.value, pl.when(pl.col("t_ns") > at(0)).then(0.0).otherwise(1.0))
    assert measured(ill, "full_capacity").censored
    assert (measured(ill, "readiness_rto").value, measured(ill, "readiness_rto").sentence) == (0.0, "no replica lost Ready")
    lied = measured(ill, "false_ready")
    assert lied.value == pytest.approx(HIT.heal_s, abs=2.0)
    assert lied.sentence.startswith("inference-")
    well = change_samples(still_ready, Series.HEALTH.value, pl.lit(1.0))
    assert (measured(well, "false_ready").value, measured(well, "false_ready").sentence) == (0.0, "no replica was Ready and did not serve")
    assert measured(well, "full_capacity").value == 0.0


def test_the_dominant_phase_is_named() -> None:
    assert measured(run_of(HIT), "dominant_phase").sentence == "load"


def test_the_effect_is_seen_by_the_last_of_two_faults() -> None:
    run = run_of(replace(HIT, hits=(Hit(0.2, 2.0), Hit(6.0, 2.0)), second_fault_s=5.9))
    assert measured(run, "time_to_confirm").value == pytest.approx(6.4)
    assert measured(change_details(run, EventKind.FAULT_CONFIRMED, lambda _, d: d), "rto").value == pytest.approx(8.0, abs=0.05)


def with_budget(run: Run) -> Run:
    """Return ``run`` with a budget for full capacity of 60 s."""
    workload = run.plan.requests
    budgets = workload.budgets.model_copy(update={"capacity_rto_s": 60.0})
    return with_plan(run, workloads=(workload.model_copy(update={"budgets": budgets}),))


def test_the_words_say_whether_replicas_were_asked() -> None:
    said = {check.name: check.sentence for check in judge(with_budget(run_of(HIT))).checks}
    assert said["capacity_rto"].startswith("Full capacity (3 of 3 replicas ready) was back")
    unasked = judge(with_budget(drop_samples(run_of(HIT), Series.HEALTH.value)))
    found = next(check for check in unasked.checks if check.name == "capacity_rto")
    assert found.sentence.startswith("Full capacity (3 of 3 replicas Ready by their condition) was back")


def test_replicas_that_can_be_back_only_with_their_node_are_not_waited_for() -> None:
    lost = drop_events(run_of(HIT), EventKind.POD_READY, where=pl.col("t_ns") > FAULT_NS)
    bound = with_budget(with_plan(lost, replicas_bound={"inference": 1}))
    assert measured(lost, "full_capacity").censored
    assert measured(bound, "full_capacity").value == 0.0
    [said] = [check.sentence for check in judge(bound).checks if check.name == "capacity_rto"]
    assert said == ("The replicas stayed ready; the budget is 60 s. Not counted, as they may run only on what was lost: 1 of inference.")


def test_a_replica_that_nobody_can_ask_is_no_capacity_while_its_node_is_silent() -> None:
    still_ready = drop_events(run_of(HIT), EventKind.POD_UNREADY, EventKind.POD_GONE, where=pl.col("t_ns") > FAULT_NS)
    leases = still_ready.samples.filter(pl.col("series") == Series.HEALTH.value).with_columns(
        series=pl.lit(Series.NODE_HEARD.value),
        value=pl.when(pl.col("t_ns").is_between(at(0), at(5)) & pl.col("labels").str.contains(REPLICAS[0])).then(0.0).otherwise(1.0),
    )
    run = replace(still_ready, samples=pl.concat([drop_samples(still_ready, Series.HEALTH.value).samples, leases]))
    assert measured(run, "full_capacity").value == pytest.approx(6.0, abs=1.01)
    assert measured(run, "readiness_rto").value == 0.0
    assert measured(run, "wrong_green").sentence == "readiness"
    said = next(check for check in judge(with_budget(run)).checks if check.name == "capacity_rto").sentence
    assert "3 of 3 replicas Ready by their condition" in said  # of their nodes no more is known than that they were heard of
