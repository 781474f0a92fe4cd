"""Histories that cannot be trusted, through both commands: a sentence or an INCONCLUSIVE with its reason, never a traceback or a PASS."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from reports.__main__ import main as render
from reports.build import build as build_report
from testing.histories.truth import Hit, World, build
from testing.histories.truth_frames import write
from verdict.cli import main as judge

WORLD = World(hits=(Hit(0.2, 3.0),), rate_rps=40.0, workers=2)
Damage = Callable[[Path], object]


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(build(WORLD).run, tmp_path_factory.mktemp("runs") / "closed")


@pytest.fixture(scope="module")
def unclosed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(build(replace(WORLD, seed=2)).run, tmp_path_factory.mktemp("runs") / "open", lines=True)


def copy(source: Path, to: Path) -> Path:
    to.mkdir()
    for file in source.iterdir():
        (to / file.name).write_bytes(file.read_bytes())
    return to


def table(name: str, edit: Callable[[pl.DataFrame], pl.DataFrame]) -> Damage:
    return lambda path: edit(pl.read_parquet(path / f"{name}.parquet")).write_parquet(path / f"{name}.parquet")


def both(path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, int, str]:
    """Judge and render; return both exit codes and all that was said."""
    codes = judge([str(path)]), render([str(path), "--out", str(path.parent / "report")])
    said = capsys.readouterr()
    return *codes, " ".join((said.out + said.err).split())


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (table("requests", lambda rows: rows.clear()), "it holds no requests"),
        (table("schedule", lambda rows: rows.clear()), "it holds no schedule"),
        (table("events", lambda rows: rows.clear()), "never began"),
        (lambda path: [file.unlink() for file in path.glob("*.parquet")], "never began"),
        (table("requests", lambda rows: pl.concat([rows, rows.head(50)])), "50 rows repeat the id of another (duplicate ids)"),
        (table("schedule", lambda rows: pl.concat([rows, rows.head(50)])), "50 rows repeat the id of another (duplicate ids)"),
        (table("requests", lambda rows: rows.sample(fraction=1.0, shuffle=True, seed=1)), "out of order in time"),
        (table("requests", lambda rows: rows.with_columns(intended_ns=-pl.col("intended_ns"))), "not at the scheduled time"),
        (table("requests", lambda rows: rows.with_columns(intended_ns=None, done_ns=None)), "lack a required value"),
        (table("requests", lambda rows: rows.with_columns(done_ns=pl.lit(2**62))), "impossible times"),
        (table("events", lambda rows: rows.with_columns(t_ns=None)), "never began"),
    ],
    ids=range(11),
)  # fmt: skip
def test_what_cannot_be_believed_is_inconclusive_and_shown(
    closed: Path, tmp_path: Path, damage: Damage, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = copy(closed, tmp_path / "run")
    damage(path)
    assert judge([str(path)]) == 10
    assert words in " ".join(capsys.readouterr().out.split())
    report = build_report([path])
    assert (report.verdict, report.not_tested) == ("INCONCLUSIVE", ())


@pytest.mark.parametrize(
    ("stream", "late_s", "words"),
    [(True, 2.7, ""), (True, 60.0, "out of order in time"), (False, 2.7, "out of order in time")],
    ids=["its end came late", "too late", "plain"],
)
def test_a_stream_stands_where_its_end_came(
    tmp_path: Path, stream: bool, late_s: float, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is done when it says so; a network that loses packets may bring the end of its body seconds later."""
    path = write(build(replace(WORLD, streams=0.3, horizon_s=120.0)).run, tmp_path / "run")
    streams = pl.read_parquet(path / "schedule.parquet").filter(pl.col("stream") == stream)["request_id"].implode()

    def moved(rows: pl.DataFrame) -> pl.DataFrame:
        early = pl.col("done_ns") < pl.col("done_ns").max().over("worker") - late_s * 1e9
        which = rows.filter(pl.col("request_id").is_in(streams) & early).tail(1)
        return pl.concat([rows.filter(pl.col("request_id") != which["request_id"].item()), which])

    table("requests", moved)(path)
    judge([str(path)])
    said = " ".join(capsys.readouterr().out.split())
    assert words in said if words else "out of order" not in said


@pytest.mark.parametrize("file", ["requests.w0.jsonl", "events.main.jsonl"])
def test_a_file_cut_off_in_mid_row_is_inconclusive_and_shown(
    unclosed: Path, tmp_path: Path, file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = copy(unclosed, tmp_path / "run")
    (path / file).write_bytes((path / file).read_bytes()[:-40])
    judged, rendered, said = both(path, capsys)
    assert (judged, rendered) == (10, 0)
    assert f"the last line of {file} was cut off" in said


def future(path: Path) -> None:
    plan = json.loads((path / "plan.json").read_text())
    (path / "plan.json").write_text(json.dumps(plan | {"schema_version": plan["schema_version"] + 1}))


def hundred_million(name: str) -> Damage:
    rows = pl.LazyFrame({"x": [0]}).select(pl.repeat(0, 100_000_000, dtype=pl.Int8).alias("request_id"))
    return lambda path: rows.sink_parquet(path / f"{name}.parquet")


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (future, "judge it with the suite that wrote it"),
        (hundred_million("requests"), "100,000,000 requests, this suite reads at most 20,000,000 at once"),
        (hundred_million("schedule"), "100,000,000 requests, this suite reads at most 20,000,000 at once"),
    ],
    ids=["a schema from the future", "100 million requests", "100 million scheduled"],
)
def test_what_cannot_be_read_is_one_sentence_of_both_commands(
    closed: Path, tmp_path: Path, damage: Damage, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = copy(closed, tmp_path / "run")
    damage(path)
    judged, rendered, said = both(path, capsys)
    assert (judged, rendered) == (2, 1)
    assert said.count(words) >= 2  # of each command, and in the report's own headline
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert (report["verdict"], [item["kind"] for item in report["not_tested"]]) == ("INCONCLUSIVE", ["unreadable"])


def test_a_torn_verdict_is_said_and_not_believed(closed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = copy(closed, tmp_path / "run")
    assert judge([str(path)]) == 0
    (path / "verdict.json").write_bytes((path / "verdict.json").read_bytes()[:200])
    assert render([str(path), "--out", str(tmp_path / "report")]) == 1
    assert "judge the run again" in capsys.readouterr().err
