"""The index: the records of all nights as one Parquet table, a row a run, that any reader of Parquet can query."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

import polars as pl

from nights.record import NIGHT_SCHEMA, Conditions, Night, RunRecord, Unread, Value

_NUMBER = pl.Float64()
_VALUE = {
    "name": pl.String(),
    "value": _NUMBER,
    "unit": pl.String(),
    "low": _NUMBER,
    "high": _NUMBER,
    "censored": pl.Boolean(),
    "budget": _NUMBER,
    "workload": pl.String(),
}
_CONDITIONS = ("target", "workload", "offered", "profile", "seed_policy", "digest")
COLUMNS: dict[str, Any] = {
    "night": pl.String(), "run_id": pl.String(), "experiment": pl.String(), "title": pl.String(), "trial": pl.Int64(),
    "started_ns": pl.Int64(), "duration_s": pl.Float64(), "verdict": pl.String(), "counts_as": pl.String(), "complete": pl.Boolean(),
    "sentence": pl.String(), **dict.fromkeys(_CONDITIONS, pl.String()), "platform": pl.String(), "versions": pl.String(),
    "values": pl.List(pl.Struct(_VALUE)), "failed": pl.List(pl.String()), "namespaces": pl.String(), "touched": pl.List(pl.String()),
    "gpus": pl.Int64(),
}  # fmt: skip
"""``platform``, ``versions`` and ``namespaces`` are JSON objects."""
META = "aftershock"
"""Key of the file's metadata under which each night stands with what is no column: when it began, whether it is whole, what is unread."""


class IndexTorn(Exception):
    """The index is no table of this version; it is made anew from the runs."""


def written(nights: Iterable[Night]) -> bytes:
    """Return the index of ``nights``."""
    known = list(nights)
    rows = [_row(run) for night in known for run in night.runs]
    about = {one.night: {key: value for key, value in asdict(one).items() if key != "runs"} for one in known}
    file = io.BytesIO()
    pl.DataFrame(rows, schema=COLUMNS, orient="row").write_parquet(file, metadata={META: json.dumps(about)})
    return file.getvalue()


def read(content: bytes) -> dict[str, Night]:
    """Return the nights of an index by name. Raises IndexTorn: it is cut off, of another version, or no index at all."""
    try:
        about: dict[str, dict[str, Any]] = json.loads(pl.read_parquet_metadata(io.BytesIO(content))[META])
        frame = pl.read_parquet(io.BytesIO(content), use_pyarrow=False).select(list(COLUMNS)).cast(pl.Schema(COLUMNS))
        runs: dict[str, list[RunRecord]] = {name: [] for name in about}
        for row in frame.iter_rows(named=True):
            runs[row["night"]].append(_record(row))
        if any(one["schema"] != NIGHT_SCHEMA for one in about.values()):
            raise IndexTorn(f"it is not of schema {NIGHT_SCHEMA}")
        return {name: _night(one, runs[name]) for name, one in about.items()}
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, ValueError, KeyError, TypeError, OSError) as error:
        raise IndexTorn(str(error) or type(error).__name__) from error


def _row(run: RunRecord) -> tuple[Any, ...]:
    of, values = run.conditions, [asdict(value) for value in run.values]
    return (
        run.night, run.run_id, run.experiment, run.title, run.trial, run.started_ns, run.duration_s, run.verdict, run.counts_as,
        run.complete, run.sentence, *(getattr(of, name) for name in _CONDITIONS), json.dumps(of.platform), json.dumps(run.versions),
        values, list(run.failed), json.dumps(run.namespaces), list(run.touched),
        run.gpus,
    )  # fmt: skip


def _record(row: dict[str, Any]) -> RunRecord:
    conditions = Conditions(**{name: row.pop(name) for name in _CONDITIONS}, platform=json.loads(row.pop("platform")))
    made = {name: json.loads(row.pop(name)) for name in ("versions", "namespaces")}
    made |= {"values": tuple(Value(**one) for one in row.pop("values")), "touched": tuple(row.pop("touched"))}
    return RunRecord(**{**row, **made, "failed": tuple(row["failed"])}, conditions=conditions)


def _night(about: dict[str, Any], runs: Sequence[RunRecord]) -> Night:
    return Night(**{**about, "unread": tuple(Unread(**one) for one in about["unread"])}, runs=tuple(runs))
