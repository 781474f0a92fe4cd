"""What changed between nights, which nights are comparable, what fails a session, and the trend."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from bench.nights.worlds import World
from history.errors import ConfigError
from nights.changes import Turn, changes
from nights.comparable import INCOMPLETE, NO_DIGESTS, NOT_NOTED, NOT_PASSED
from nights.gate import gated, gates
from nights.record import Conditions, Night, RunRecord, Value
from nights.spread import Standing
from nights.suite_code import PARTS, code_changed, name_of, suite_code
from nights.trend import trends

NIGHTS = list(World(3, experiments=3, trials=2).nights(12))
TONIGHT = NIGHTS[-1]


def turned(night: Night, experiment: int, **fields: object) -> Night:
    """Return ``night`` in which the runs of one experiment came out otherwise."""
    name = f"serving/experiment-{experiment:02d}"
    return replace(night, runs=tuple(replace(run, **fields) if run.experiment == name else run for run in night.runs))  # type: ignore[arg-type]


def rto(run: RunRecord, factor: float) -> RunRecord:
    values = (replace(one, value=one.value * factor, low=None, high=None) for one in run.values)
    return replace(run, values=tuple(values))


def slower(night: Night, factor: float) -> Night:
    return replace(night, runs=tuple(rto(run, factor) for run in night.runs))


FAIL, UNSURE = {"verdict": "FAIL", "counts_as": "FAIL"}, {"verdict": "INCONCLUSIVE", "counts_as": "INCONCLUSIVE"}


@pytest.mark.parametrize(
    ("then", "now", "turn"),
    [
        ({}, {}, Turn.HELD),
        ({}, FAIL, Turn.BROKE),
        (FAIL, FAIL, Turn.STILL),
        (FAIL, {}, Turn.BACK),
        (UNSURE, {}, Turn.BACK),
        ({}, UNSURE, Turn.UNSURE),
        (UNSURE, UNSURE, Turn.HELD),
    ],
)
def test_how_an_outcome_turns(then: dict[str, object], now: dict[str, object], turn: Turn) -> None:
    found = changes(turned(TONIGHT, 1, **now), [turned(NIGHTS[-2], 1, **then)])
    assert [one.turn for one in found.changes] == [Turn.HELD, turn, Turn.HELD]
    assert found.against == NIGHTS[-2].night


def test_what_is_new_and_what_is_gone() -> None:
    before = replace(NIGHTS[-2], runs=tuple(run for run in NIGHTS[-2].runs if not run.experiment.endswith("00")))
    tonight = replace(TONIGHT, runs=tuple(run for run in TONIGHT.runs if not run.experiment.endswith("02")))
    found = changes(tonight, [before])
    assert [one.turn for one in found.changes] == [Turn.NEW, Turn.HELD]
    assert found.gone == ("serving/experiment-02",)


def test_a_first_night_is_compared_with_nothing() -> None:
    found = changes(TONIGHT, [TONIGHT])  # it may be kept already
    assert found.against == ""
    assert {one.turn for one in found.changes} == {Turn.NEW}


def test_a_night_of_another_target_is_not_the_last_one() -> None:
    other = replace(NIGHTS[-2].runs[0].conditions, target="another")
    foreign = replace(NIGHTS[-2], runs=tuple(replace(run, conditions=other) for run in NIGHTS[-2].runs))
    assert changes(TONIGHT, [NIGHTS[-3], foreign]).against == NIGHTS[-3].night


def without(night: Night, experiment: int) -> Night:
    return replace(night, runs=tuple(run for run in night.runs if not run.experiment.endswith(f"{experiment:02d}")))


def test_a_verdict_is_compared_with_the_last_comparable_night_that_ran_it() -> None:
    ran, other, last = turned(NIGHTS[-4], 1, **FAIL), turned(NIGHTS[-3], 1, conditions=conditions(profile="smoke")), without(NIGHTS[-2], 1)
    found = changes(TONIGHT, [ran, other, last])
    assert found.against == last.night
    assert [one.turn for one in found.changes] == [Turn.HELD, Turn.BACK, Turn.HELD]
    assert [one.against for one in found.changes] == [last.night, ran.night, last.night]
    assert [one.against_ns for one in found.changes] == [last.started_ns, ran.started_ns, last.started_ns]


def test_without_a_comparable_night_the_last_that_ran_it_is_said_with_the_reason() -> None:
    other, last = turned(NIGHTS[-3], 1, **FAIL, conditions=conditions(profile="smoke")), without(NIGHTS[-2], 1)
    change = changes(TONIGHT, [other, last]).changes[1]
    assert (change.turn, change.against, change.not_comparable) == (Turn.BACK, other.night, "another profile")
    foreign = turned(NIGHTS[-3], 1, **FAIL, conditions=conditions(target="another"))
    assert changes(TONIGHT, [foreign, last]).changes[1].turn is Turn.NEW
    assert changes(TONIGHT, [last], against=foreign).changes[1].turn is Turn.BACK  # unless it was named


def test_an_interrupted_night_does_not_stand_before_one_that_was_not() -> None:
    cut = turned(NIGHTS[-2], 1, **UNSURE, complete=False)
    assert changes(TONIGHT, [NIGHTS[-3], cut]).changes[1].against == NIGHTS[-3].night
    assert changes(TONIGHT, [cut]).changes[1].against == cut.night


def test_other_code_of_the_suite_is_said_and_still_comparable() -> None:
    made_by = {name_of("faults"): "1", name_of("verdict"): "1"}
    nights = [replace(night, runs=tuple(replace(run, versions=made_by) for run in night.runs)) for night in NIGHTS[:-1]]
    tonight = replace(TONIGHT, runs=tuple(replace(run, versions=made_by | {name_of("verdict"): "2"}) for run in TONIGHT.runs))
    change = changes(tonight, nights).changes[0]
    assert change.suite == ("verdict/",)
    assert (change.not_comparable, change.numbers[0].judged.nights, change.numbers[0].other_code) == ("", 11, 11)
    assert changes(TONIGHT, nights).changes[0].suite == ()  # an older run does not say


def test_a_change_of_the_code_is_a_change_of_its_digest(tmp_path: Path) -> None:
    for part in PARTS:
        (tmp_path / part).mkdir()
        (tmp_path / part / "a.py").write_text("1")
    before = suite_code(tmp_path)
    (tmp_path / "faults" / "a.py").rename(tmp_path / "faults" / "b.py")
    assert code_changed(suite_code(tmp_path), before) == ("faults/",)
    assert code_changed(before, before) == ()


def test_workloads_of_one_run_are_compared_each_with_its_own() -> None:
    def both(night: Night, factor: float) -> Night:
        values = [(replace(run.values[0], workload="a"), replace(run.values[0], workload="b", low=None, high=None)) for run in night.runs]
        slow = [(one, replace(two, value=two.value * factor)) for one, two in values]
        return replace(night, runs=tuple(replace(run, values=own) for run, own in zip(night.runs, slow, strict=True)))

    found = changes(both(TONIGHT, 3.0), [both(night, 1.0) for night in NIGHTS[:-1]])
    assert [(one.workload, one.judged.standing is Standing.REGRESSED) for one in found.changes[0].numbers] == [("a", False), ("b", True)]
    assert gated(found, gates("rto:20%")).regressed[0].startswith("serving/experiment-00: rto of b is ")


def test_an_older_night_can_be_named() -> None:
    assert changes(TONIGHT, NIGHTS[:-1], against=NIGHTS[0]).against == NIGHTS[0].night


def conditions(**fields: object) -> Conditions:
    return replace(TONIGHT.runs[0].conditions, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"conditions": conditions(profile="smoke")}, "another profile"),
        ({"conditions": conditions(target="other")}, "another target"),
        ({"conditions": conditions(offered="1")}, "another load, SLO or job"),
        ({"conditions": conditions(digest="1")}, "the experiment was another"),
        ({"conditions": conditions(seed_policy="fixed at 7")}, "another seed policy"),
        ({"conditions": conditions(seed_policy="")}, NOT_NOTED),
        ({"conditions": conditions(platform={})}, NO_DIGESTS),
        ({"complete": False}, INCOMPLETE),
        (FAIL, NOT_PASSED),
    ],
)
def test_why_a_night_is_not_comparable(fields: dict[str, object], reason: str) -> None:
    nights = [*NIGHTS[:-2], turned(NIGHTS[-2], 1, **fields)]
    numbers = [change.numbers[0] for change in changes(TONIGHT, nights).changes]
    assert numbers[1].left_out == {reason: 1}
    assert [one.judged.nights for one in numbers] == [11, 10, 11]


def test_another_image_is_comparable_and_named() -> None:
    rolled = turned(TONIGHT, 1, conditions=conditions(platform={"images of inference": "2", "template of inference": "3"}))
    change = changes(rolled, NIGHTS[:-1]).changes[1]
    assert change.parts == ("images of inference", "template of inference")
    assert change.not_comparable == ""
    assert change.numbers[0].judged.nights == 11


# gates


def test_a_gate_takes_both_the_share_and_the_spread() -> None:
    found = changes(slower(TONIGHT, 2.0), NIGHTS[:-1])
    assert {one.numbers[0].judged.standing for one in found.changes} == {Standing.REGRESSED}
    met = gated(found, gates("rto:20%"))
    assert len(met.regressed) == 3
    assert "beyond their spread" in met.regressed[0]
    assert gated(found, gates("rto:100%")).regressed != met.regressed  # twice as long is about + 100 %
    assert gated(changes(TONIGHT, NIGHTS[:-1]), gates("rto:0%")).regressed == ()


def lasting(night: Night, rto_s: float) -> Night:
    """Return ``night`` with another RTO in all its runs."""
    return replace(night, runs=tuple(replace(run, values=(Value("rto", rto_s, "s"),)) for run in night.runs))


def test_an_outage_where_there_never_was_one_is_beyond_every_share() -> None:
    quiet = [lasting(night, 0.0) for night in NIGHTS[:-1]]
    met = gated(changes(lasting(TONIGHT, 30.0), quiet), gates("rto:20%"))
    assert len(met.regressed) == 3
    assert "in which it was next to nothing" in met.regressed[0]


def test_what_several_nights_show_is_held_against_the_nights_before_them_and_no_better_night_is_called_worse() -> None:
    said = [10.0 + 0.1 * (number % 5) for number in range(22)] + [14.0] * 7
    before = [lasting(replace(NIGHTS[0], started_ns=NIGHTS[0].started_ns + number), rto_s) for number, rto_s in enumerate(said)]
    tonight = replace(TONIGHT, started_ns=before[-1].started_ns + 1)
    for rto_s in (12.5, 9.8):
        found = changes(lasting(tonight, rto_s), before)
        [several] = {one.numbers[0].judged.over for one in found.changes}
        assert several > 1
        [share] = re.findall(r"rto is ([0-9.]+) % worse", gated(found, gates("rto:20%")).regressed[0])
        assert 20 < float(share) < 40


def test_a_gate_that_cannot_be_judged_says_so() -> None:
    met = gated(changes(TONIGHT, NIGHTS[-3:-1]), gates("rto:20%,rpo_requests:5%"))
    assert met.regressed == ()
    assert met.unjudged[0] == "serving/experiment-00: rto has 2 comparable nights, 5 are needed"
    assert met.unjudged[-1] == "rpo_requests: no experiment of this night measured it"


def test_availability_is_worse_when_it_is_smaller() -> None:
    poorer = replace(TONIGHT, runs=tuple(replace(run, values=(Value("availability", 0.9, "ratio"),)) for run in TONIGHT.runs))
    found = changes(poorer, NIGHTS[:-1], measures=("availability",))
    assert len(gated(found, gates("availability:5%")).regressed) == 3


@pytest.mark.parametrize(
    ("text", "says"),
    [("rto", "'' is not a share"), ("speed:1%", "'speed' is not measured"), ("", "is not measured"), ("rto:200%", "not a share")],
)
def test_gates_that_are_none(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        gates(text)


# trend


def test_a_trend_has_a_point_a_night_and_counts_what_was_inconclusive() -> None:
    nights = [*NIGHTS[:-1], turned(TONIGHT, 1, **UNSURE)]
    series = trends(nights)
    assert [one.experiment for one in series] == ["serving/experiment-00", "serving/experiment-01", "serving/experiment-02"]
    assert [len(one.points) for one in series] == [12, 12, 12]
    assert series[1].inconclusive_rate == pytest.approx(2 / 24)
    worst = max(value.value for run in TONIGHT.runs if run.experiment.endswith("01") for value in run.values if value.name == "rto")
    last = series[1].points[-1]
    assert last.rto_s == worst
    assert last.availability == 0.999
    assert len(trends(nights, most=5)[0].points) == 5
