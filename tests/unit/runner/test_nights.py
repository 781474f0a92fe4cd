"""Nights of a session: kept, compared, gated; what cannot be reached is said and costs no verdict."""

from __future__ import annotations

import json
import re
import shutil
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from history.errors import NightsError
from nights.shelf import Shelf
from nights.store.folder import FolderStore
from runner.plugin import nights
from runner.plugin.minutes import too_late
from runner.plugin.session_end import exit_status, write_report
from testing.histories.sample_runs import write_run
from testing.histories.sample_scenarios import ENGINE_KILLED, NODE_OFF


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("runs"), ENGINE_KILLED)


def night(made: Path, folder: Path, day: int, factor: float = 1.0) -> Path:
    """Return a copy of a run, made on another day, all of whose recorded RTOs are longer."""
    copy = Path(shutil.copytree(made, folder / f"run-{day}"))
    raw = json.loads((copy / "plan.json").read_text())
    raw |= {"run_id": f"run-{day}", "created_ns": raw["created_ns"] + day * 86_400 * 10**9, "seed_policy": "drawn"}
    raw["platform"] = {"images of inference": "1"}
    (copy / "plan.json").write_text(json.dumps(raw))
    verdict = json.loads((copy / "verdict.json").read_text()) | {"run_id": f"run-{day}"}
    for check in (one for one in verdict["checks"] if one["name"] == "rto"):
        scatter = factor * (1 + day % 3 / 100)
        check |= {name: check[name] * scatter for name in ("measured", "low", "high")}
    (copy / "verdict.json").write_text(json.dumps(verdict))
    return copy


def session(tmp_path: Path, runs: list[Path], **options: Any) -> Any:
    asked = {
        "nights": str(tmp_path / "nights"),
        "compare": None,
        "compare_fail": "",
        "keep": 30,
        "root": tmp_path,
        "fail_on": (),
        "waivers": None,
        "junit_inconclusive": "error",
    }
    asked |= {"dry_run": False, "out": tmp_path / "out", "command": lambda: "pytest -m chaos"}
    said: list[str] = []
    return SimpleNamespace(
        options=SimpleNamespace(experiments=(), **asked | options),
        run_dirs=runs, planned=[], begun=[], stopped="", refused=[], absent=[], no_time=[], risks={}, outcomes=["passed"], malformed=0,
        report=None, time="", at_hand={}, selected=set(), target=None,
        built=None, night="", kept="", regressed=[], unjudged=[], progress=SimpleNamespace(line=said.append),
    )  # fmt: skip


def ended(chaos: Any) -> int:
    return exit_status(chaos, 0, write_report(chaos))


def test_a_night_is_kept_and_the_next_one_is_compared_with_it(made: Path, tmp_path: Path) -> None:
    first = session(tmp_path, [night(made, tmp_path, 1)])
    assert ended(first) == 0
    assert "No earlier night" in first.night
    assert first.kept.startswith("kept as night 2")
    second = session(tmp_path, [night(made, tmp_path, 2)])
    assert ended(second) == 0
    assert "every verdict is as before; not told yet, with fewer than 5 comparable nights: rto of serving/engine-killed" in second.night
    report = json.loads((tmp_path / "out/latest/report.json").read_text())
    assert report["past"]["changes"]["against"] in first.kept
    assert [len(one["points"]) for one in report["past"]["trends"]] == [2]


def test_a_regression_ends_a_session_that_held(made: Path, tmp_path: Path) -> None:
    for day in range(1, 9):
        ended(session(tmp_path, [night(made, tmp_path, day)]))
    quiet = session(tmp_path, [night(made, tmp_path, 9)], compare_fail="rto:20%")
    assert ended(quiet) == 0, quiet.regressed
    assert "nothing changed beyond the spread of comparable nights" in quiet.night
    assert "not told yet" not in quiet.night
    slow = session(tmp_path, [night(made, tmp_path, 10, factor=1.5)], compare_fail="rto:20%")
    assert ended(slow) == 13
    assert "serving/engine-killed: rto is" in slow.regressed[0]
    assert "regressed within budget: serving/engine-killed" in slow.night


def test_a_gate_without_enough_nights_is_inconclusive(made: Path, tmp_path: Path) -> None:
    first = session(tmp_path, [night(made, tmp_path, 1)], compare_fail="rto:20%")
    assert ended(first) == 10
    assert "rto has 0 comparable nights, 5 are needed" in first.unjudged[0]


def test_verdicts_stand_before_regressions(made: Path, tmp_path: Path) -> None:
    chaos = session(tmp_path, [night(made, tmp_path, 1)])
    chaos.regressed, chaos.outcomes = ["slower"], ["failed"]
    assert exit_status(chaos, 1, rendered=True) == 1


def test_a_place_out_of_reach_costs_no_verdict_and_no_report(made: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    run = night(made, tmp_path, 1)
    chaos = session(tmp_path, [run], nights=str(tmp_path / "file" / "nights"))
    assert ended(chaos) == 0
    assert "nothing of this session is lost" in chaos.kept
    assert f"python -m nights keep {run} --nights" in chaos.kept
    assert (run / "verdict.json").exists()
    assert chaos.report is not None
    gated = session(tmp_path, [run], nights="s3://", compare_fail="rto:20%")
    assert ended(gated) == 10
    assert "Not compared with earlier nights" in (tmp_path / "out/latest/index.html").read_text()


@pytest.mark.parametrize(
    ("place", "compare", "says"),
    [
        ("file", None, r"--chaos-nights=file: nights in .*file: cannot list this folder \(Not a directory\)"),
        ("file/nights", None, "cannot list this folder"),
        ("http://bucket", None, "expected a folder or s3://BUCKET/PREFIX"),
        ("", "20200101-000000-abcdef", "--chaos-compare: compare with 20200101-000000-abcdef: no kept night of that name"),
    ],
)
def test_nights_that_cannot_be_used_are_refused_before_anything_runs(tmp_path: Path, place: str, compare: str | None, says: str) -> None:
    (tmp_path / "file").write_text("")
    chaos = session(tmp_path, [], nights=place, compare=compare)
    why = nights.refuse_wrong(chaos, looks_only=False)
    assert re.search(says, why)
    assert why.endswith("Nothing was run")


def test_a_place_that_takes_nothing_is_refused_and_a_look_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chaos = session(tmp_path, [])
    assert nights.refuse_wrong(chaos, looks_only=True) == ""
    assert not (tmp_path / "nights").exists()
    assert nights.refuse_wrong(chaos, looks_only=False) == ""

    def full(_store: FolderStore, name: str, _content: bytes) -> None:
        raise NightsError(f"nights in x: cannot write {name} in this folder (No space left on device)")

    monkeypatch.setattr(FolderStore, "write", full)
    assert nights.refuse_wrong(chaos, looks_only=True) == ""
    assert "No space left on device" in nights.refuse_wrong(chaos, looks_only=False)


def test_what_breaks_when_older_nights_are_trimmed_does_not_unsay_that_this_one_is_kept(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object, **__: object) -> None:
        raise NightsError("the bucket is gone")

    monkeypatch.setattr(Shelf, "expire", gone)
    chaos = session(tmp_path, [night(made, tmp_path, 1)])
    ended(chaos)
    assert re.fullmatch("kept as night .*; older nights could not be trimmed: the bucket is gone", chaos.kept)


def test_a_named_run_is_compared_without_any_nights(made: Path, tmp_path: Path) -> None:
    before = night(made, tmp_path, 1)
    chaos = session(tmp_path, [night(made, tmp_path, 2)], nights="", compare=str(before))
    assert ended(chaos) == 0
    assert "Since 2026" in chaos.night
    assert chaos.kept == ""
    lost = session(tmp_path, [night(made, tmp_path, 3)], nights="", compare="20200101-000000-abcdef")
    assert ended(lost) == 0
    assert "no kept night of that name" in (tmp_path / "out/latest/index.html").read_text()


def test_nights_are_kept_even_if_the_report_cannot_be_written(made: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    chaos = session(tmp_path, [night(made, tmp_path, 1)])
    assert ended(chaos) == 1
    assert chaos.kept.startswith("kept as night")


def test_other_experiments_than_last_night(made: Path, tmp_path: Path) -> None:
    ended(session(tmp_path, [night(made, tmp_path, 1), write_run(tmp_path / "other", NODE_OFF)]))
    chaos = session(tmp_path, [night(made, tmp_path, 2)])
    ended(chaos)
    assert "not run any more: nodes/powered-off" in chaos.night


@pytest.mark.parametrize(("text", "place", "says"), [("speed:1%", "x", "is not measured"), ("rto:20%", "", "needs nights")])
def test_gates_are_looked_at_before_anything_runs(text: str, place: str, says: str) -> None:
    with pytest.raises(pytest.UsageError, match=says):
        nights.checked_gates(text, place)


@pytest.mark.parametrize(
    ("limit_s", "used_s", "late"), [(None, 1e9, False), (600.0, 100.0, False), (600.0, 580.0, True), (600.0, 700.0, True)]
)
def test_a_run_begins_only_if_the_night_has_time_for_it(limit_s: float | None, used_s: float, late: bool) -> None:
    chaos: Any = SimpleNamespace(
        options=SimpleNamespace(max_s=limit_s), began_s=time.monotonic() - used_s, run_s={"serving/gpu-lost": 60.0}
    )
    why = too_late(chaos, "serving/gpu-lost")
    assert bool(why) is late
    assert not late or "it takes about 1.0 min" in why
