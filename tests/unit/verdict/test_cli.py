"""Judging stored runs from the command line: exit codes, files and sentences, never a traceback."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from history.close import close_run
from history.errors import HistoryError
from history.ledgers import LedgerWriter
from history.plan import Timers, write_plan
from history.reader import read_run
from history.result import RunVerdict
from history.schema import EventKind
from testing.histories.edits import drop_events
from testing.histories.plain_plan import plain_plan
from testing.histories.truth import World
from testing.histories.truth_frames import write
from tests.unit.verdict.conftest import HIT, run_of
from verdict import cli, judge, size

TIMERS = Timers(baseline_s=15, hold_s=10, confirm_s=30, deadline_s=60, heal_s=60)


@pytest.fixture
def closed(tmp_path: Path) -> Path:
    return write(run_of(HIT), tmp_path / "closed")


@pytest.fixture
def unclosed(tmp_path: Path) -> Path:
    return write(run_of(replace(HIT, workers=2)), tmp_path / "open", lines=True)


def test_a_stored_run_is_judged_again_and_its_verdict_written(closed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([str(closed)]) == 0
    stored = RunVerdict.model_validate_json((closed / "verdict.json").read_text())
    assert stored == judge(read_run(closed))
    assert "PASS" in capsys.readouterr().out


def test_a_dry_run_writes_nothing(closed: Path) -> None:
    assert cli.main([str(closed), "--dry-run"]) == 0
    assert not (closed / "verdict.json").exists()


def test_exit_codes_are_those_of_the_worst_run(closed: Path, tmp_path: Path) -> None:
    failing = write(run_of(replace(HIT, rto_budget_s=2.0)), tmp_path / "failing")
    unproven = write(drop_events(run_of(HIT), EventKind.FAULT_CONFIRMED), tmp_path / "unproven")
    codes = [
        cli.main([str(path) for path in paths])
        for paths in ([closed], [closed, unproven], [unproven, failing], [failing, tmp_path / "none"])
    ]
    assert codes == [0, 10, 1, 2]


def test_an_open_run_reads_like_a_closed_one(unclosed: Path) -> None:
    before = judge(read_run(unclosed))
    close_run(unclosed)
    assert judge(read_run(unclosed)) == before
    assert before.verdict == "PASS"


@pytest.mark.parametrize("cut", [1, 40, 400])
def test_a_file_cut_off_in_mid_row_is_inconclusive(unclosed: Path, cut: int, capsys: pytest.CaptureFixture[str]) -> None:
    file = unclosed / "requests.w1.jsonl"
    file.write_bytes(file.read_bytes()[:-cut])
    assert cli.main([str(unclosed)]) == 10
    assert "cut off" in " ".join(capsys.readouterr().out.split())


def edited(name: str, edit: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        (path / name).write_bytes(edit((path / name).read_bytes()))

    return damage


def changed_plan(**fields: object) -> Callable[[bytes], bytes]:
    return lambda data: json.dumps(json.loads(data) | fields).encode()


def maybe(file: Path) -> None:
    pl.read_parquet(file).with_columns(outcome=pl.lit("maybe")).write_parquet(file)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda path: (path / "plan.json").unlink(), "plan.json cannot be read"),
        (edited("plan.json", lambda _: b"{"), "plan.json cannot be read"),
        (edited("plan.json", lambda _: b"\xff\xfe"), "plan.json cannot be read"),
        (edited("plan.json", lambda _: b"[]"), "schema version None"),
        (edited("plan.json", changed_plan(schema_version=99)), "schema version 99, this suite reads 1"),
        (edited("plan.json", changed_plan(schema_version=0)), "judge it with the suite that wrote it"),
        (edited("plan.json", changed_plan(surprise=1)), "surprise"),
        (edited("requests.parquet", lambda data: data[: len(data) // 2]), "not a Parquet file"),
        (edited("requests.parquet", lambda _: b""), "not a Parquet file"),
        (edited("events.parquet", lambda _: b"PAR1" + bytes(100) + b"PAR1"), "not a Parquet file"),
        (lambda path: pl.DataFrame({"x": [1]}).write_parquet(path / "requests.parquet"), "columns"),
        (lambda path: maybe(path / "requests.parquet"), "does not fit its column"),
    ],
    ids=range(12),
)  # fmt: skip
def test_what_cannot_be_read_is_one_sentence(
    closed: Path, damage: Callable[[Path], None], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    damage(closed)
    assert cli.main([str(closed)]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert "Traceback" not in said


def test_a_folder_that_is_none_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([str(tmp_path / "nothing here")]) == 2
    assert "a run folder starts with its plan" in capsys.readouterr().err


def test_empty_files_are_inconclusive(unclosed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for file in unclosed.glob("*.jsonl"):
        file.write_bytes(b"")
    assert cli.main([str(unclosed)]) == 10
    assert "it holds no requests" in " ".join(capsys.readouterr().out.split())


def test_too_many_requests_are_refused_before_they_are_read(
    closed: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(size, "MOST_ROWS", 1000)
    assert cli.main([str(closed)]) == 2
    assert "this suite reads at most 1,000 at once" in capsys.readouterr().err


def test_too_many_lines_are_refused_by_their_size(unclosed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(size, "MOST_ROWS", 1000)
    with pytest.raises(HistoryError, match="at most 1,000 at once"):
        size.refuse_if_too_large(unclosed)


def test_a_verdict_that_cannot_be_written_is_one_sentence(closed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (closed / "verdict.json.part").mkdir()
    assert cli.main([str(closed)]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_ledgers_are_read_and_closed_with_the_run(unclosed: Path) -> None:
    plan = plain_plan(run_id="r", experiment={}, training={}, timers=TIMERS)
    write_plan(plan, unclosed)
    writer = LedgerWriter(unclosed, "training", "worker")
    writer.write(b'{"t_ns": 1, "kind": "step", "attempt": 1, "rank": 0, "step": 2, "samples": [3]}\n')
    before = read_run(unclosed).ledgers
    close_run(unclosed)
    assert (unclosed / "ledgers" / "training.parquet").exists()
    assert read_run(unclosed).ledgers["training"].rows() == before["training"].rows()
    assert before["training"].select("t_ns", "kind", "samples").rows() == [(1, "step", [3])]


@pytest.mark.parametrize("seed", range(15))
def test_no_damage_to_any_table_ends_in_a_pass_or_a_traceback(seed: int) -> None:
    """Null or scramble random cells of random columns; a damage that the verdict does not rest on may pass, a crash may not."""
    rng = random.Random(seed)  # noqa: S311 - damage, reproducible by its seed
    run = run_of(World(hits=HIT.hits))
    for _ in range(3):
        name = rng.choice(["requests", "events", "samples", "schedule"])
        frame: pl.DataFrame = getattr(run, name)
        column, share = rng.choice(frame.columns), rng.choice([0.01, 0.5, 1.0])
        hurt = pl.Series([rng.random() < share for _ in range(frame.height)])
        other = pl.lit(None) if rng.random() < 0.5 else pl.col(column).shuffle(seed=seed)
        damaged = pl.when(hurt).then(other).otherwise(pl.col(column)).cast(frame.schema[column]).alias(column)
        changes: dict[str, Any] = {name: frame.with_columns(damaged)}
        run = replace(run, **changes)
    verdict = judge(run)
    assert verdict.sentence
    assert RunVerdict.model_validate_json(verdict.model_dump_json())
