"""Training on real hardware: hosts' clocks, bits that differ from run to run, steps of many seconds, ledgers of somebody's own."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite

import pytest

from history.budgets import Budgets
from history.ledger_clocks import clocks_of_ledger
from history.result import Check, Verdict
from history.workloads import State
from testing.histories.training_stories import (
    Life,
    Story,
    apart,
    arrived,
    asked,
    check,
    frame,
    hung,
    judged,
    ns,
    row,
    rows_of,
    run_of,
    suite_asked,
    value,
)
from verdict import judge
from verdict.training.needs import DIGEST, HOST, LOSS, NEEDS, PID, SAMPLES, STORES, Need, table

Rows = list[dict[str, object]]
NEAR = State(mode="tolerance", losses=1e-3)


def of(story: Story, rows: Rows, name: str) -> Check:
    return check(judge(run_of(story, rows)), name)


@pytest.mark.parametrize(
    ("apart_s", "budget_s", "verdict"), [(-2, 5, Verdict.FAIL), (8, 10, Verdict.PASS), (-2, 10, Verdict.PASS), (8, 5, Verdict.FAIL)]
)
def test_clocks_that_lie_apart_change_no_verdict(apart_s: float, budget_s: float, verdict: Verdict) -> None:
    story = Story(budgets=Budgets(rto_s=budget_s))
    found = of(story, [*apart(rows_of(story), apart_s), *asked(apart_s)], "rto")
    assert (found.verdict, found.measured) == (verdict, pytest.approx(6.15))


def test_hosts_with_clocks_of_their_own_are_corrected_each() -> None:
    story, rows = Story(), rows_of(Story())
    ahead = [moved for one in rows for moved in apart([one], 3.0 if one["host"] == "b" else -1.0)]
    told = [one | {"offset_ns": -3_000_000_000} if one["host"] == "b" else one for one in asked(-1.0)]
    verdict = judge(run_of(story, [*ahead, *told]))
    assert value(verdict, "rto_train") == pytest.approx(6.15)
    said = check(verdict, "ledger").sentence
    assert "The clocks of its 4 writers are known within 4 ms" in said
    assert "b was furthest off, 3 s ahead, and times are corrected" in said


def test_what_clocks_may_be_wrong_by_is_in_the_resolution() -> None:
    story = Story(budgets=Budgets(rto_s=6.5))
    assert of(story, [*rows_of(story), *asked(0, error_s=0.002)], "rto").verdict is Verdict.PASS
    found = of(story, [*rows_of(story), *asked(0, error_s=0.5)], "rto")
    assert (found.verdict, found.resolution) == (Verdict.INCONCLUSIVE, pytest.approx(0.2 + 2 * 0.5))


def test_a_ledger_in_which_nothing_tells_of_clocks_is_judged_as_it_stands() -> None:
    story = Story()
    found = of(story, rows_of(story), "rto")
    assert (found.measured, found.resolution) == (pytest.approx(6.15), pytest.approx(0.2))
    assert "clock" not in of(story, rows_of(story), "ledger").sentence


@pytest.mark.parametrize(("apart_s", "budget_s", "verdict"), [(-2, 5, Verdict.FAIL), (8, 10, Verdict.PASS)])
def test_hosts_that_never_asked_are_placed_by_when_their_rows_arrived(apart_s: float, budget_s: float, verdict: Verdict) -> None:
    story = Story(budgets=Budgets(rto_s=budget_s))
    late = arrived(rows_of(story), delay_s=0.004)
    rows = [came | {"t_ns": wrote["t_ns"]} for came, wrote in zip(late, apart(rows_of(story), apart_s), strict=True)]
    found = of(story, [*rows, suite_asked()], "rto")
    assert (found.verdict, found.measured) == (verdict, pytest.approx(6.154))
    assert "4 of them by when rows arrived" in of(story, [*rows, suite_asked()], "ledger").sentence


def test_a_clock_that_was_set_while_nobody_asked_is_as_unsure_as_it_jumped() -> None:
    story = Story(budgets=Budgets(rto_s=5))  # truth 6.15 s
    set_forward = [
        late | {"t_ns": int(str(late["t_ns"])) + (3 * 10**9 if int(str(late["t_ns"])) > ns(28) else 0)} for late in arrived(rows_of(story))
    ]
    assert of(story, [*set_forward, suite_asked()], "rto").verdict is Verdict.INCONCLUSIVE
    assert clocks_of_ledger(frame([*set_forward, suite_asked()])).error_s == pytest.approx(3, abs=0.1)


def test_rows_that_usually_take_longer_than_the_quickest_make_the_clock_less_sure() -> None:
    rows = rows_of(Story())
    late = [one for at, line in enumerate(rows) for one in arrived([line], 0.01 if at % 50 == 0 else 1.01)]
    assert clocks_of_ledger(frame([*late, suite_asked()])).error_s == pytest.approx(1.002)


def test_a_clock_that_was_set_in_the_middle_is_as_unsure_as_it_jumped() -> None:
    later = row("clock", 2, 0, 120, 30.0, host="a", offset_ns=-8_000_000_000, error_ns=1_000_000)
    assert clocks_of_ledger(frame([*rows_of(Story()), *asked(0), later])).error_s >= 8


def test_a_row_that_arrived_before_it_was_written_makes_its_clock_unsure() -> None:
    rows = [one | {"received_ns": int(str(one["t_ns"])) - 3_000_000_000} for one in rows_of(Story())]
    assert clocks_of_ledger(frame([*rows, *asked(0)])).error_s >= 3


def test_a_host_of_which_nobody_knows_the_clock_is_a_gap_if_others_are_known() -> None:
    known = [one for one in asked(-2) if one["host"] != "c"]
    assert "nobody measured the clock of c" in of(Story(), [*rows_of(Story()), *known], "ledger").sentence
    alone = [one for one in asked(-2) if one["rank"] != -1]
    found = of(Story(), [*rows_of(Story()), *alone], "ledger")
    assert (found.verdict, "the clock of the suite itself" in found.sentence) == (Verdict.INCONCLUSIVE, True)


OTHER_BITS = (Life(0.0, 0, 100, wrong_from=1), Life(24.0, 90, 250, wrong_from=1))


def test_other_bits_with_the_same_losses_are_right_where_the_class_says_so() -> None:
    assert check(judged(Story(lives=OTHER_BITS)), "state").verdict is Verdict.FAIL
    near = check(judged(Story(lives=OTHER_BITS, state=NEAR)), "state")
    assert (near.verdict, near.measured, near.budget) == (Verdict.PASS, 0, 1e-3)
    verdict = judged(Story(lives=OTHER_BITS, state=State(mode="none")))
    assert "state" not in {one.name for one in verdict.checks}
    assert verdict.verdict is Verdict.PASS


@pytest.mark.parametrize(("loss", "verdict"), [(1.0009, Verdict.PASS), (1.002, Verdict.FAIL), (float("nan"), Verdict.FAIL)])
def test_losses_are_compared_step_by_step(loss: float, verdict: Verdict) -> None:
    story = Story(lives=(Life(0.0, 0, 100), Life(24.0, 90, 250, loss=loss)), state=NEAR)
    found = check(judged(story), "state")
    assert found.verdict is verdict, found
    says = "At step 91 the loss lies" if isfinite(loss) else "At step 91 the loss or an undisturbed run's is no number"
    assert verdict is Verdict.PASS or says in found.sentence


def test_losses_before_recovery_alone_say_nothing() -> None:
    rows = [one for one in rows_of(Story()) if one["attempt"] == 1 or one["kind"] != "step" or int(str(one["step"])) <= 100]
    assert of(Story(state=NEAR), rows, "state").verdict is Verdict.INCONCLUSIVE


def test_a_hang_of_slow_steps_is_judged_against_the_budget() -> None:
    story, rows = hung(12, 112, 60)
    found = of(story, rows, "rto")
    assert (found.verdict, found.measured) == (Verdict.FAIL, pytest.approx(111))
    assert value(judge(run_of(story, rows)), "longest_pause") == pytest.approx(111)


@pytest.mark.parametrize(("pause_s", "budget_s"), [(20, 60), (59, 60), (23, 10)])  # a step is as finely as can be told
def test_a_pause_within_the_budget_or_of_less_than_two_steps_is_no_outage(pause_s: float, budget_s: float) -> None:
    story, rows = hung(12, pause_s, budget_s)
    assert value(judge(run_of(story, rows)), "rto_train") == 0


def test_a_hang_that_nobody_saw_the_end_of_is_over_its_budget() -> None:
    story, rows = hung(12, 112, 60)
    found = of(story, [one for one in rows if one["kind"] != "step" or int(str(one["step"])) <= 10], "rto")
    assert found.verdict is Verdict.FAIL


def _without(need: Need) -> Callable[[dict[str, object]], dict[str, object]]:
    kinds = {need.kind} if need is not DIGEST else {"state", "checkpoint"}
    return lambda one: {key: held for key, held in one.items() if one["kind"] not in kinds or key != need.field}


@pytest.mark.parametrize("need", [SAMPLES, LOSS, HOST, PID, DIGEST, STORES], ids=lambda need: f"{need.kind}.{need.field}")
def test_a_field_that_is_missing_is_named_with_the_check_that_needs_it(need: Need) -> None:
    story = Story(state=NEAR if need is LOSS else State())
    verdict = judge(run_of(story, [_without(need)(one) for one in rows_of(story)]))
    for name in need.checks:
        found = check(verdict, name)
        assert found.verdict is not Verdict.PASS
        assert f"`{need.field}`" in found.sentence, found
        assert f"`{name}`" in found.sentence, found


def test_a_field_that_a_single_row_lacks_is_named_with_its_step_and_rank() -> None:
    rows = [one | {"samples": None} if (one["kind"], one["step"], one["rank"]) == ("step", 200, 2) else one for one in rows_of(Story())]
    assert "1 row of 780 in the job's ledger lacks it, the first is that of step 200, rank 2" in of(Story(), rows, "samples").sentence


def test_no_field_is_asked_for_that_its_check_can_do_without() -> None:
    fields = {need.field for need in NEEDS}
    assert {"t_ns", "kind", "attempt", "rank"}.isdisjoint(fields)  # every row needs these
    assert all(f"| `{need.kind}` | `{need.field}` |" in table() for need in NEEDS)
