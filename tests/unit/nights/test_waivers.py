"""Waivers: what they cover, when they turn red, what is left."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError

from history.result import Check, Verdict
from nights.waivers import Waiver, Waivers, not_needed, weigh

TODAY = date(2026, 11, 30)
NAMED = "serving/gpu-lost"


def waiver(**fields: Any) -> Waiver:
    plain = {"experiment": NAMED, "check": "rto", "owner": "inference", "ticket": "INF-7", "expires": "2026-12-31", "accepted": "90s"}
    return Waiver.model_validate(plain | fields)


def check(name: str = "rto", verdict: Verdict = Verdict.FAIL, **fields: Any) -> Check:
    return Check(name=name, verdict=verdict, sentence="", **{"measured": 80.0, "budget": 60.0, "unit": "s"} | fields)


PASSED, UNSURE = check("heal", Verdict.PASS, measured=None), check("load", Verdict.INCONCLUSIVE, measured=None)


def test_a_known_fail_within_what_is_accepted_is_covered() -> None:
    found = weigh([check(), PASSED], NAMED, "staging", [waiver()], TODAY)
    assert found.waived
    assert found.covered == ("rto: known, INF-7 of inference, until 2026-12-31",)


@pytest.mark.parametrize(
    ("made", "changed", "says"),
    [
        (waiver(expires="2026-11-29"), {}, "has expired"),
        (waiver(accepted="70s"), {}, "accepts 70 s, and 80 was measured, which is worse"),
        (waiver(accepted=None), {}, "accepts no value, and 80 s was measured"),
        (waiver(), {"measured": None}, "accepts 90 s, and no value was measured"),
        (waiver(), {"censored": True}, "how much it is beyond the end of the record is not known"),
        (waiver(check="availability", accepted="97%"), {"name": "availability", "measured": 0.95, "unit": "ratio"}, "which is worse"),
    ],
)
def test_when_a_waiver_turns_red(made: Waiver, changed: dict[str, Any], says: str) -> None:
    found = weigh([check(**changed)], NAMED, "staging", [made], TODAY)
    assert not found.waived
    assert found.left is Verdict.FAIL
    assert says in found.red[0]


@pytest.mark.parametrize("expires", ["2026-11-30", "2027-01-01"])
def test_the_last_day_counts(expires: str) -> None:
    assert weigh([check()], NAMED, "staging", [waiver(expires=expires)], TODAY).waived


def test_what_the_interval_allows_to_be_within_is_not_worse() -> None:
    assert weigh([check(measured=91.0, low=89.0, high=93.0)], NAMED, "staging", [waiver()], TODAY).waived
    assert not weigh([check(measured=92.0, low=90.5, high=93.0)], NAMED, "staging", [waiver()], TODAY).waived


def test_a_check_without_a_number_needs_no_value() -> None:
    assert weigh([check("evidence", measured=None)], NAMED, "staging", [waiver(check="evidence", accepted=None)], TODAY).waived


def test_a_fault_that_outlived_its_run_is_never_waived() -> None:
    found = weigh([check("heal", measured=None)], NAMED, "staging", [waiver(check="heal", accepted=None)], TODAY)
    assert (found.waived, found.left) == (False, Verdict.FAIL)


@pytest.mark.parametrize(
    ("checks", "left"), [([check(), check("latency")], Verdict.FAIL), ([check(), UNSURE], Verdict.INCONCLUSIVE), ([PASSED], Verdict.PASS)]
)
def test_every_other_check_still_counts(checks: list[Check], left: Verdict) -> None:
    found = weigh(checks, NAMED, "staging", [waiver()], TODAY)
    assert found.left is left
    assert not found.waived


@pytest.mark.parametrize(("fields", "waived"), [({"target": "prod"}, False), ({"target": "staging"}, True), ({"experiment": "a/b"}, False)])
def test_a_waiver_is_for_one_experiment_and_target(fields: dict[str, str], waived: bool) -> None:
    assert weigh([check()], NAMED, "staging", [waiver(**fields)], TODAY).waived is waived


def test_of_several_workloads_a_waiver_covers_the_one_that_it_names() -> None:
    both = [check(workload="realtime-inference"), check(workload="batch-training")]
    one = weigh(both, NAMED, "staging", [waiver(workload="batch-training")], TODAY)
    assert (one.waived, one.left) == (False, Verdict.FAIL)
    assert one.covered == ("rto of batch-training: known, INF-7 of inference, until 2026-12-31",)
    none = weigh(both[:1], NAMED, "staging", [waiver()], TODAY)
    assert not none.waived
    assert none.red[0].endswith("does not say of which workload, and several drive this run; write workload: realtime-inference")
    named = [waiver(workload="realtime-inference"), waiver(), waiver(workload="batch-training")]
    assert weigh(both, NAMED, "staging", named, TODAY).waived


@pytest.mark.parametrize(("named", "waived"), [("realtime-inference", True), ("batch-training", False)])
def test_of_one_workload_a_waiver_may_name_it(named: str, waived: bool) -> None:
    assert weigh([check()], NAMED, "staging", [waiver(workload=named)], TODAY, workload="realtime-inference").waived is waived


def test_a_waiver_that_is_not_needed_any_more_is_said() -> None:
    assert not_needed([waiver()], "local", [(NAMED, "rto", "")])[0].startswith("serving/gpu-lost: rto passed; the waiver INF-7")
    assert not_needed([waiver()], "local", [(NAMED, "heal", "")]) == []
    assert not_needed([waiver(target="prod")], "local", [(NAMED, "rto", "")]) == []
    assert not_needed([waiver(workload="a")], "local", [(NAMED, "rto", "b")]) == []


@pytest.mark.parametrize(
    "wrong", [{"owner": ""}, {"ticket": ""}, {"expires": "soon"}, {"accepted": "much"}, {"accepted": True}, {"reason": "x"}]
)
def test_a_waiver_without_owner_ticket_or_day_is_none(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        waiver(**wrong)
    assert Waivers.model_validate({"waivers": [waiver().model_dump()]}).waivers == (waiver(),)
