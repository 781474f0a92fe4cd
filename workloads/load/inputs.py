"""What a worker is given: the plan, the prompts and the schedule of one run folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from history.errors import ConfigError, HistoryError
from history.plan import Plan
from history.prompts import Prompt, compared, read_prompts
from history.reader import read_plan, read_table
from workloads.load.schedule import make_schedule, write_schedule
from workloads.load.wire.body import request_head
from workloads.load.wire.credentials import credential_headers, tls_context
from workloads.load.wire.endpoint import Endpoint


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
        ConfigError: the endpoint, the headers, a credential, a certificate, the prompts file or the mix is wrong.

    """
    plan = read_plan(run_dir)
    load = plan.requests.load
    endpoint, credentials = Endpoint.of(load.url), credential_headers(load)
    tls_context(endpoint, load)
    for stream in {mix.stream for mix in load.mix}:
        request_head(endpoint, load, credentials, stream=stream)
    prompts = compared(read_prompts(Path(load.prompts)), plan.requests.answers)
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
