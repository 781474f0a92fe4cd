"""Closing a run: JSON lines become Parquet, whole or not at all."""

from __future__ import annotations

from pathlib import Path

from history.reader import LEDGERS, ledgers_of, read_plan, read_table
from history.schema import TABLES


def close_run(path: Path) -> list[str]:
    """Turn every table of the run folder into ``<table>.parquet`` and remove its JSON lines; idempotent.

    Each Parquet file is written beside its final name and renamed, so a kill leaves either form readable.

    Returns:
        Names of files whose last line was cut off.

    """
    torn: list[str] = []
    for folder, name, schema in [
        *((path, *table) for table in TABLES.items()),
        *((path / LEDGERS, *ledger) for ledger in ledgers_of(path, read_plan(path)).items()),
    ]:
        lines = sorted(folder.glob(f"{name}.*.jsonl"))
        final, part = folder / f"{name}.parquet", folder / f"{name}.parquet.part"
        if final.exists():
            continue
        read_table(folder, name, torn, schema).write_parquet(part)
        part.rename(final)
        for file in lines:
            file.unlink()
    return torn
