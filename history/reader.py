"""Reading a run, closed (Parquet) or not (JSON lines, whose last line may be torn)."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
from pydantic import ValidationError

from history.errors import HistoryError
from history.plan import Plan
from history.schema import ALERTS, LATER, NOTIFICATIONS, READABLE, TABLES, EventKind, in_columns

LEDGERS = "ledgers"


@dataclass(frozen=True, slots=True)
class Run:
    """One run as judges see it. Frames have exactly the columns of :mod:`history.schema`.

    ``torn`` names files whose last line was cut off.
    """

    path: Path
    plan: Plan
    requests: pl.DataFrame
    events: pl.DataFrame
    samples: pl.DataFrame
    schedule: pl.DataFrame
    torn: tuple[str, ...] = ()
    alerts: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=ALERTS))  # older runs have none
    notifications: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=NOTIFICATIONS))  # likewise
    ledgers: dict[str, pl.DataFrame] = field(default_factory=dict)  # of its workloads, by name, where they exist

    def first(self, kind: EventKind) -> int | None:
        """Return the time (ns) of the first event of ``kind``, if any."""
        return min(self._times(kind), default=None)

    def last(self, kind: EventKind) -> int | None:
        """Return the time (ns) of the last event of ``kind``, if any."""
        return max(self._times(kind), default=None)

    def _times(self, kind: EventKind) -> list[int]:
        return self.events.filter(pl.col("kind") == kind.value)["t_ns"].drop_nulls().to_list()


def read_run(path: Path) -> Run:
    """Read the run folder ``path``.

    Raises:
        HistoryError: no plan, an unreadable plan, a schema from the future, or a table that is not a table.

    """
    plan = read_plan(path)
    torn: list[str] = []
    tables = {name: read_table(path, name, torn) for name in TABLES}
    ledgers = {name: read_table(path / LEDGERS, name, torn, schema) for name, schema in ledgers_of(path, plan).items()}
    return Run(path=path, plan=plan, torn=tuple(torn), ledgers=ledgers, **tables)


def read_plan(path: Path) -> Plan:
    """Read ``plan.json`` of the run folder ``path`` (same errors as :func:`read_run`)."""
    file = path / "plan.json"
    try:
        raw: object = json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise HistoryError(f"{path}: plan.json cannot be read ({error}); a run folder starts with its plan; name another folder") from error
    version = raw.get("schema_version") if isinstance(raw, dict) else None
    if version not in READABLE:
        known = " and ".join(map(str, READABLE))
        raise HistoryError(f"{file}: schema version {version}, this suite reads {known}; judge it with the suite that wrote it")
    try:
        return Plan.model_validate(raw)
    except ValidationError as error:
        raise HistoryError(f"{file}: {error}") from error


def ledgers_of(path: Path, plan: Plan) -> dict[str, dict[str, pl.DataType]]:
    """Return which ledgers of its workloads the run folder ``path`` holds, with their columns."""
    kept = {file.name.split(".")[0] for kind in ("parquet", "jsonl") for file in (path / LEDGERS).glob(f"*.{kind}")}
    return {name: schema for workload in plan.workloads for name, schema in workload.LEDGERS.items() if name in kept}


def read_table(path: Path, name: str, torn: list[str] | None = None, schema: dict[str, pl.DataType] | None = None) -> pl.DataFrame:
    """Return the table ``name`` of a run folder in the order of its files; an absent table is an empty frame.

    Args:
        path: the run folder.
        name: a key of :data:`history.schema.TABLES`.
        torn: receives the names of files whose last line was cut off (that line is left out).
        schema: its columns; default: those of the table called ``name``.

    """
    schema, parquet = schema or TABLES[name], path / f"{name}.parquet"
    if parquet.exists():
        return _conform(_read_parquet(parquet), schema, parquet)
    frames = [read_lines(file, schema, torn) for file in sorted(path.glob(f"{name}.*.jsonl"))]
    return pl.concat(frames) if frames else pl.DataFrame(schema=schema)


def read_lines(file: Path, schema: dict[str, pl.DataType], torn: list[str] | None = None) -> pl.DataFrame:
    """Read a file of JSON lines; a torn last line is left out and the file's name appended to ``torn``."""
    data = file.read_bytes()
    end = data.rfind(b"\n") + 1
    if end < len(data) and torn is not None:
        torn.append(file.name)
    if not end:
        return pl.DataFrame(schema=schema)
    wrong = f"{file}: a line is not a row of {sorted(schema)}; the file was changed after the run was written"
    try:
        frame = pl.read_ndjson(io.BytesIO(data[:end]), schema=_as_parsed(schema))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise HistoryError(f"{wrong} ({error})") from error
    if frame.height != data.count(b"\n", 0, end):  # polars leaves out lines that it cannot parse
        raise HistoryError(wrong)
    return _conform(frame, schema, file)


def _read_parquet(file: Path) -> pl.DataFrame:
    try:
        return pl.read_parquet(file)
    except pl.exceptions.PolarsError as error:
        raise HistoryError(f"{file}: not a Parquet file ({error}); it was damaged after the run was closed") from error


def _as_parsed(schema: dict[str, pl.DataType]) -> dict[str, pl.DataType]:
    """Widen to the types that polars' JSON parser knows (it has no Enum and no narrow integers)."""
    return {name: pl.Int64() if kind.is_integer() else pl.String() if isinstance(kind, pl.Enum) else kind for name, kind in schema.items()}


def _conform(frame: pl.DataFrame, schema: dict[str, pl.DataType], file: Path) -> pl.DataFrame:
    missing = sorted(set(schema) - set(frame.columns) - LATER)
    if missing:
        raise HistoryError(f"{file}: columns {missing} are missing; expected {sorted(schema)}")
    try:
        return in_columns(frame, schema)
    except pl.exceptions.PolarsError as error:
        raise HistoryError(f"{file}: a value does not fit its column ({error}); the file was changed after the run was written") from error
