"""The example of docs/your-training-job.md: a ledger written with it, over plain HTTP, supports every check."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Any

import polars as pl
import requests

from history.ledgers import lacking, training_rows
from history.schema import TRAINING
from testing.histories.training_stories import JOB
from testing.training.served_ledger import serving
from verdict.inputs.training_job import training_job_of, verified_ns
from verdict.training.needs import NEEDS, undigested
from verdict.training.needs import lacking as lacking_field
from workloads.training.telemetry.ledger import DONE

PAGE = Path(__file__).parents[3] / "docs" / "your-training-job.md"
RANKS, STEPS, INTERVAL = 2, 6, 3


def example() -> dict[str, Any]:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(code, str(PAGE), "exec"), names)  # noqa: S102  the page's own text
    return names


def test_the_example_writes_all_that_every_check_needs(tmp_path: Path) -> None:
    names = example()
    with serving(tmp_path) as server:
        address = f"127.0.0.1:{server.server_port}"

        def rank(number: int) -> None:
            ledger = names["Ledger"](address, "run", number, 1)
            names["train"](ledger, number, RANKS, STEPS, INTERVAL)
            ledger.server.close()

        ranks = [threading.Thread(target=rank, args=(number,)) for number in range(RANKS)]
        for thread in ranks:
            thread.start()
        for thread in ranks:
            thread.join()
        text = requests.get(f"http://{address}/runs/run", timeout=5).content
    assert not lacking(text)
    assert DONE.encode() in text
    job = training_job_of(JOB.model_copy(update={"ranks": RANKS}), pl.DataFrame(list(training_rows(text)), schema=TRAINING))
    assert [step.step for step in job.progress] == list(range(1, STEPS + 1))
    assert [step for _, step in verified_ns(job)] == [3, 6]
    assert job.clocks.hosts
    assert all(host.asked for host in job.clocks.hosts.values())
    assert not undigested(job)
    assert [lacking_field(job.rows, need) for need in NEEDS] == [""] * len(NEEDS)
