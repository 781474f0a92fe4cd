"""What stands beside the runs of a report: earlier nights and waivers. A session and the command line say the same of the same runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nights.shelf import Shelf
from nights.store.folder import FolderStore
from reports.__main__ import main
from testing.histories.sample_plan import BASE_NS
from testing.histories.sample_runs import write_run
from testing.histories.sample_scenarios import ENGINE_KILLED, NINE

ZONE_LOST = next(one for one in NINE if one.id == "nodes/zone-lost")  # the one that fails
WAIVER = "- {{experiment: {id}, check: {check}, owner: o, ticket: T-1, expires: {day}{more}}}\n"


def again(run: Path, days: int) -> Path:
    """Return a copy of a run, made so many days later."""
    copy = run.with_name(f"{run.name}-{days}")
    copy.mkdir()
    for file in run.glob("*.*"):
        (copy / file.name).write_bytes(file.read_bytes())
    for name in ("plan.json", "verdict.json"):
        raw = json.loads((copy / name).read_text()) | {"run_id": copy.name}
        (copy / name).write_text(
            json.dumps(raw | ({"created_ns": raw["created_ns"] + days * 86_400 * 10**9} if name == "plan.json" else {}))
        )
    return copy


def rendered(out: Path, *arguments: object) -> dict[str, Any]:
    main([*map(str, arguments), "--out", str(out)])
    report: dict[str, Any] = json.loads((out / "report.json").read_text())
    return report


def test_runs_are_compared_with_the_nights_before_them_and_never_with_themselves(tmp_path: Path) -> None:
    first = write_run(tmp_path / "runs", ENGINE_KILLED)
    second, third = again(first, 1), again(first, 2)
    shelf = Shelf(FolderStore(tmp_path / "nights"), print)
    kept = [shelf.keep([run]).night for run in (first, second, third)]
    past = rendered(tmp_path / "out", second, "--nights", tmp_path / "nights")["past"]
    assert past["changes"]["against"] == kept[0]
    assert [len(one["points"]) for one in past["trends"]] == [2]
    assert rendered(tmp_path / "out", first, "--nights", tmp_path / "nights")["past"]["changes"]["against"] == ""
    assert "past" not in {key for key, value in rendered(tmp_path / "out", second).items() if value}
    assert [night.night for night in shelf.nights()] == kept


def test_runs_are_compared_with_a_named_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = write_run(tmp_path / "runs", ENGINE_KILLED)
    change = rendered(tmp_path / "out", again(first, 1), "--compare", first)["past"]["changes"]["changes"][0]
    assert (change["turn"], change["then"]) == ("held", "PASS")
    assert main([str(first), "--out", str(tmp_path / "out"), "--compare", "20200101-000000-abcdef"]) == 1
    assert "no kept night of that name and no folder of a run" in capsys.readouterr().err


@pytest.mark.parametrize(("day", "verdict", "says"), [("2026-09-21", "PASS", "known, T-1 of o"), ("2026-09-20", "FAIL", "has expired")])
def test_a_waiver_holds_on_the_day_on_which_the_run_began(tmp_path: Path, day: str, verdict: str, says: str) -> None:
    assert BASE_NS // 10**9 == 1_790_000_000  # 2026-09-21
    run = write_run(tmp_path / "runs", ZONE_LOST)
    failed = [one for one in json.loads((run / "verdict.json").read_text())["checks"] if one["verdict"] == "FAIL"]
    worst = [", accepted: 0%" if one["name"] == "availability" else ", accepted: 999999" for one in failed]
    lines = [WAIVER.format(id=ZONE_LOST.id, check=one["name"], day=day, more=more) for one, more in zip(failed, worst, strict=True)]
    (tmp_path / "waivers.yaml").write_text("waivers:\n" + "".join(lines))
    report = rendered(tmp_path / "out", run, "--waivers", tmp_path / "waivers.yaml")
    assert report["verdict"] == verdict
    assert says in report["known_fails"][0]["says"][0]


def test_a_waiver_whose_check_passed_is_named_and_a_wrong_file_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, file = write_run(tmp_path / "runs", ENGINE_KILLED), tmp_path / "waivers.yaml"
    file.write_text("waivers:\n" + WAIVER.format(id=ENGINE_KILLED.id, check="rto", day="2026-12-31", more=", accepted: 40s"))
    assert "may not be needed any more" in rendered(tmp_path / "out", run, "--waivers", file)["waiver_notes"][0]
    file.write_text("waivers:\n- {experiment: a/b, check: rto, owner: o}\n")
    with pytest.raises(SystemExit, match="2"):
        main([str(run), "--waivers", str(file)])
    assert "waivers.yaml:2: waivers.0.ticket: missing" in capsys.readouterr().err
