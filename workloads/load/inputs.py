"""What a worker is given: the plan, the prompts and the schedule of one run folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from history.errors import ConfigError, HistoryError
from history.plan import Plan
from history.prompts import Prompt, compared, read_prompts
from history.reader import read_plan, read_table
from workloads.load.endpoint import Endpoint, api_key, request_head
from workloads.load.schedule import make_schedule, write_schedule


@dataclass(frozen=True, slots=True)
class LoadInputs:
    """Plan, prompts and schedule of one run folder."""

    run_dir: Path
    plan: Plan
    prompts: tuple[Prompt, ...]
    schedule: pl.DataFrame


def prepare(run_dir: Path) -> LoadInputs:
    """Read and check plan and prompts, and the schedule, which is written first if it is not there.

    Raises:
        HistoryError: no readable plan, or a schedule that cannot be read.
        ConfigError: the endpoint, the headers, the API key, the prompts file or the mix is wrong.

    """
    plan = read_plan(run_dir)
    request_head(Endpoint.of(plan.requests.load.url), plan.requests.load.headers, api_key(plan.requests.load))
    if plan.requests.load.ca_file and not Path(plan.requests.load.ca_file).is_file():
        raise ConfigError(f"load.ca_file {plan.requests.load.ca_file} is not a file; name the PEM file of the endpoint's CA")
    prompts = compared(read_prompts(Path(plan.requests.load.prompts)), plan.requests.answers)
    if not (run_dir / "schedule.parquet").exists():
        write_schedule(make_schedule(plan.requests.load, prompts), run_dir)
    schedule = read_table(run_dir, "schedule")
    if not schedule.is_empty() and int(schedule["prompt_id"].to_numpy().max()) >= len(prompts):
        raise ConfigError(
            f"{run_dir}/schedule.parquet asks for prompts that {plan.requests.load.prompts} does not hold; remove the schedule"
        )
    return LoadInputs(run_dir, plan, prompts, schedule)


def refuse_second_load(run_dir: Path, worker: int | None) -> None:
    """Raise :class:`HistoryError` if the run folder holds requests already, of ``worker`` or, for ``None``, of any."""
    name = "*" if worker is None else str(worker)
    held = [*run_dir.glob(f"requests.load-{name}.jsonl"), *run_dir.glob("requests.parquet")]
    if held:
        raise HistoryError(f"{held[0]}: there already; a run folder records one load; name a run folder that holds only a plan.json")
