"""Two sides run with one seed: what is told apart, what cannot be told, what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from bench.nights.worlds import World
from history.errors import NightsError
from nights.record import RTO, Night, RunRecord
from nights.side_by_side import SideBySide, Told, side_by_side
from nights.side_by_side import _welch as welch
from nights.spread import Place
from reports.__main__ import main
from reports.page.sides import headline, rows
from testing.histories.sample_runs import write_run
from testing.histories.sample_scenarios import ENGINE_KILLED, NODE_OFF, REPLICA_KILLED

NAMES = ("v1", "v2")


def sides(seed: int, trials: int = 3) -> tuple[Night, Night]:
    """Return two quiet nights of one world: alike but for chance."""
    first, second = World(seed, experiments=3, trials=trials).nights(2)
    return first, second


def changed(night: Night, **fields: object) -> Night:
    return replace(night, runs=tuple(replace(run, **fields) for run in night.runs))  # type: ignore[arg-type]


def conditions(night: Night, **fields: object) -> Night:
    return replace(night, runs=tuple(replace(run, conditions=replace(run.conditions, **fields)) for run in night.runs))  # type: ignore[arg-type]


def slower(night: Night, factor: float, experiment: str) -> Night:
    def of(run: RunRecord) -> RunRecord:
        values = tuple(replace(one, value=one.value * factor, low=None, high=None) if one.name == RTO else one for one in run.values)
        return replace(run, values=values) if run.experiment == experiment else run

    return replace(night, runs=tuple(of(run) for run in night.runs))


def told(found: SideBySide, measure: str = RTO) -> list[Told]:
    return [one.told for pair in found.pairs for one in pair.differences if one.measure == measure]


def test_sides_that_are_alike_are_told_apart_on_few_pages() -> None:
    pages = [side_by_side(*sides(seed), NAMES) for seed in range(60)]
    wrong = sum(any(one.told in {Told.WORSE, Told.BETTER} for pair in page.pairs for one in pair.differences) for page in pages)
    assert wrong <= 6, f"{wrong} of {len(pages)} pages; 2 % are 1.2, and more than 6 come once in 4,000 times"


def test_a_side_that_is_three_times_slower_is_told_apart() -> None:
    first, second = sides(3, trials=5)
    slow = first.runs[0].experiment
    found = side_by_side(first, slower(second, 3, slow), NAMES)
    assert told(found)[0] is Told.WORSE
    assert slow in headline(found)
    assert rows(found)[0].told == "worse"
    one = found.pairs[0].differences[0]
    assert one.low is not None
    assert one.high is not None
    assert 0 < one.low < one.by < one.high


def test_the_other_way_round_it_is_better() -> None:
    first, second = sides(3, trials=5)
    assert told(side_by_side(slower(first, 3, first.runs[0].experiment), second, NAMES))[0] is Told.BETTER


def test_one_trial_a_side_tells_nothing() -> None:
    first, second = sides(3, trials=1)
    found = side_by_side(first, slower(second, 10, first.runs[0].experiment), NAMES)
    assert told(found) == [Told.UNKNOWN] * 3
    assert "--chaos-trials" in found.pairs[0].differences[0].why
    assert "cannot be told" in headline(found)


def test_inconclusive_and_interrupted_trials_give_no_number() -> None:
    first, second = sides(3)
    unsure = side_by_side(first, changed(second, counts_as="INCONCLUSIVE"), NAMES)
    assert told(unsure) == []
    assert headline(unsure).startswith("cannot be told: ")
    assert told(side_by_side(changed(first, complete=False), second, NAMES)) == []


def test_a_lower_bound_is_not_held_against_a_larger_value() -> None:
    first, second = sides(3)
    bound = replace(first, runs=tuple(replace(run, values=tuple(replace(one, censored=True) for one in run.values)) for run in first.runs))
    larger = slower(second, 10, first.runs[0].experiment)
    assert told(side_by_side(bound, larger, NAMES))[0] is Told.UNKNOWN
    one = side_by_side(larger, bound, NAMES).pairs[0].differences[0]
    assert one.told is Told.UNKNOWN


def test_a_bound_that_is_the_larger_leaves_the_upper_end_open() -> None:
    first, second = sides(3, trials=5)
    slow = slower(second, 5, first.runs[0].experiment)
    bound = replace(slow, runs=tuple(replace(run, values=tuple(replace(one, censored=True) for one in run.values)) for run in slow.runs))
    found = side_by_side(first, bound, NAMES)
    one = found.pairs[0].differences[0]
    assert one.told is Told.WORSE
    assert one.high is None
    assert "at least" in rows(found)[0].by


@pytest.mark.parametrize(
    ("field", "value", "why"), [("digest", "other", "experiment"), ("offered", "other", "load"), ("seed_policy", "fixed at 8", "seed")]
)
def test_other_conditions_are_said(field: str, value: str, why: str) -> None:
    first, second = sides(3)
    found = side_by_side(first, conditions(second, **{field: value}), NAMES)
    assert all(why in pair.not_comparable for pair in found.pairs)
    assert told(found) == []


def test_another_target_is_what_is_compared() -> None:
    first, second = sides(3)
    assert len(told(side_by_side(first, conditions(second, target="candidate"), NAMES))) == 3


def test_what_differs_of_the_platform_is_said() -> None:
    first, second = sides(3)
    found = side_by_side(
        conditions(first, platform={"image a": "1", "b": "1"}), conditions(second, platform={"image a": "2", "b": "1"}), NAMES
    )
    assert {pair.parts for pair in found.pairs} == {("image a",)}


def test_a_side_of_two_targets_is_refused() -> None:
    first, second = sides(3)
    mixed = replace(first, runs=(*first.runs, replace(first.runs[0], run_id="x", conditions=replace(first.runs[0].conditions, target="y"))))
    with pytest.raises(NightsError, match="several targets"):
        side_by_side(mixed, second, NAMES)


def test_a_run_on_both_sides_is_refused() -> None:
    first, _ = sides(3)
    with pytest.raises(NightsError, match="on both sides"):
        side_by_side(first, first, NAMES)


def test_failures_of_one_side_alone_come_first_in_the_sentence() -> None:
    first, second = sides(3)
    found = side_by_side(first, changed(second, verdict="FAIL", counts_as="FAIL"), NAMES)
    assert headline(found).startswith("v2 fails where the other side never did")


def test_nothing_in_common_is_a_sentence() -> None:
    first, second = sides(3)
    found = side_by_side(first, changed(second, experiment="serving/other"), NAMES)
    assert "nothing can be compared" in headline(found)
    assert found.only_second == ("serving/other",)


def test_welch_and_satterthwaite_by_hand() -> None:
    narrow = [Place(at, 0.0, censored=False) for at in (-(1.25**0.5), 1.25**0.5, 0.0, -(0.75**0.5), 0.75**0.5)]  # variance 1
    wide = [Place(2 * one.at, 0.0, censored=False) for one in narrow]  # variance 4
    error, freedom = welch(narrow, wide)
    assert error == pytest.approx(1.0)
    assert freedom == 5  # 1 / (0.04 / 4 + 0.64 / 4) = 5.88


def test_seeds_that_were_drawn_are_said() -> None:
    first, second = sides(3)
    fixed = [conditions(night, seed_policy="fixed at 7") for night in (first, second)]
    assert side_by_side(*fixed, NAMES).one_seed
    drawn = [conditions(night, seed_policy="drawn") for night in (first, second)]
    assert not side_by_side(*drawn, NAMES).one_seed


def test_the_command_writes_a_page_with_every_number_of_its_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = [write_run(tmp_path / "a", one, trial, 2) for one in (ENGINE_KILLED, NODE_OFF) for trial in (1, 2)]
    second = [renamed(write_run(tmp_path / "b", one, trial, 2)) for one in (ENGINE_KILLED, REPLICA_KILLED) for trial in (1, 2)]
    runs = ["--first", *map(str, first), "--second", *map(str, second)]
    given = ["side-by-side", *runs, "--names", "<v1>", "v2", "--out", str(tmp_path / "out")]
    assert main(given) == 0
    assert "No difference" in capsys.readouterr().out
    raw = json.loads((tmp_path / "out" / "side-by-side.json").read_text())
    page = (tmp_path / "out" / "side-by-side.html").read_text()
    assert "<v1>" not in page
    assert raw["sides"]["only_first"] == [NODE_OFF.id]
    assert raw["sides"]["only_second"] == [REPLICA_KILLED.id]
    assert "not told apart" in page
    assert raw["sentence"].replace("<", "&lt;").replace(">", "&gt;") in page


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = write_run(tmp_path / "a", ENGINE_KILLED)
    assert main(["side-by-side", "--first", str(run), "--second", str(tmp_path), "--out", str(tmp_path / "out")]) == 11
    assert "no run can be read" in capsys.readouterr().err


def renamed(run: Path) -> Path:
    """Give a run an id of its own, as another session would."""
    for name in ("plan.json", "verdict.json"):
        raw = json.loads((run / name).read_text())
        raw["run_id"] += "-b"
        (run / name).write_text(json.dumps(raw))
    return run
