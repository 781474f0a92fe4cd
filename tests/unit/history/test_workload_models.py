"""What drives a run: one model for files and plans, in both spellings; what older plans do not say has a default."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from history.errors import HistoryError
from history.reader import read_plan
from history.workloads import Load, RequestsPlan, Slo, Training

LOAD: dict[str, Any] = {
    "model": "m", "rate_rps": 1, "mix": [{"weight": 1, "max_tokens": [1, 2]}], "prompts": "p", "in_flight_cap": 1, "timeout_s": 1,
    "url": "http://x", "horizon_s": 1, "seed": 1,
}  # fmt: skip
JOB: dict[str, Any] = {
    "template": "t", "ledger": "l:1", "namespace": "n", "job": "j", "ranks": 1, "pods": 1, "steps": 1, "batch": 1, "max_restarts": 0,
    "interval_steps": 1, "reference": "r",
}  # fmt: skip


@pytest.mark.parametrize(
    ("said", "latency_ms"),
    [({"latency": "1s"}, 1000), ({"latency": "700ms"}, 700), ({"latency": 2}, 2000), ({"latency_ms": 2}, 2), ({"latency_ms": 1e9}, 1e9)],
)
def test_people_write_seconds_and_a_plan_says_milliseconds(said: dict[str, Any], latency_ms: float) -> None:
    slo = Slo.model_validate({"ratio": "99%", **said})
    assert slo.latency_ms == latency_ms
    assert Slo.model_validate_json(slo.model_dump_json()) == slo


@pytest.mark.parametrize("latency", [0, -1, "soon", "0s", True, [], float("nan"), float("inf"), None])
def test_what_is_no_duration_is_refused(latency: object) -> None:
    with pytest.raises(ValidationError):
        Slo.model_validate({"ratio": 1, "latency": latency})


def test_an_older_plan_is_read() -> None:
    assert Load.model_validate(LOAD).endpoint == ""
    assert Load.model_validate(LOAD).request.api == "completions"
    assert (Training.model_validate(JOB).kind, Training.model_validate(JOB).storage) == ("CronJob", "")


@pytest.mark.parametrize("workload", [None, 3, {}, []])
def test_an_older_plan_that_names_no_workload_is_refused(tmp_path: Path, workload: object) -> None:
    (tmp_path / "plan.json").write_text(json.dumps({"schema_version": 1, "workload": workload, "slo": {}, "load": {}}))
    with pytest.raises(HistoryError, match=r"plan\.json: "):
        read_plan(tmp_path)


@pytest.mark.parametrize(("rate_rps", "said"), [(20, "20"), (0.5, "0.5"), (5000, "5,000"), (1_234_567, "1,234,567")])
def test_an_offered_rate_is_written_as_a_person_reads_it(rate_rps: float, said: str) -> None:
    plan = RequestsPlan(name="c", slo=Slo(ratio=0.9, latency_ms=1), load=Load(**LOAD | {"rate_rps": rate_rps}))
    assert plan.text() == f"{said} requests/s, Poisson arrivals"
