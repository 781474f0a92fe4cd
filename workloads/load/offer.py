"""What a worker is given: the plan, the prompts and the schedule of one run folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from history.plan import Plan
from history.reader import read_plan, read_table
from workloads.load.prompts import Prompt, read_prompts
from workloads.load.schedule import make_schedule, write_schedule


@dataclass(frozen=True, slots=True)
class Offer:
    """The load that one run folder asks for."""

    run_dir: Path
    plan: Plan
    prompts: dict[int, Prompt]
    schedule: pl.DataFrame


def prepare(run_dir: Path) -> Offer:
    """Read plan and prompts, and the schedule, which is written first if it is not there.

    Raises:
        HistoryError: no readable plan, or a schedule that is not one.
        ConfigError: the prompts file or the mix is wrong.

    """
    plan = read_plan(run_dir)
    prompts = read_prompts(Path(plan.load.prompts))
    if not (run_dir / "schedule.parquet").exists():
        write_schedule(make_schedule(plan.load, prompts), run_dir)
    return Offer(run_dir, plan, prompts, read_table(run_dir, "schedule"))
