"""A class of asynchronous jobs: what a target file may say of it, what steady means, what the plan has, what a client is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from history.errors import ConfigError, NoData
from history.prompts import Prompt
from probes import jobs
from runner.drivers.async_inference.client import Answer, JobsClient
from runner.drivers.async_inference.driver import AsyncDriver
from runner.drivers.async_inference.progress import _right
from runner.drivers.async_inference.workload import AsyncClass
from runner.drivers.choice import read_target
from runner.experiment.steady_state import steady_state
from testing.platform.fake_cluster import ROOT

NAME, FILE = "async-inference", ROOT / "targets" / "async.yaml"


def written(folder: Path, **changes: Any) -> Path:
    raw = yaml.safe_load(FILE.read_text())
    raw["workloads"][NAME] |= changes
    file = folder / "target.yaml"
    file.write_text(yaml.safe_dump(raw, sort_keys=False))
    return file


def jobs_with(**changes: object) -> dict[str, object]:
    return dict(yaml.safe_load(FILE.read_text())["workloads"][NAME]["jobs"]) | changes


def test_the_shipped_file_says_it_in_a_model_of_its_own() -> None:
    workload = read_target(FILE).workload(NAME, AsyncClass)
    assert (workload.slo.ratio, workload.slo.accepted_s, workload.slo.done_s) == (0.95, 2, 10)
    assert (workload.jobs.rate_rps, workload.jobs.cancelled, workload.jobs.drain_s) == (4, 0.2, 120)
    assert (workload.budgets.rto_s, workload.budgets.rpo_jobs) == (60, 0)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"jobs": jobs_with(endpoint="nowhere")}, "workloads.async-inference.jobs.endpoint: 'nowhere' is not under endpoints"),
        ({"jobs": jobs_with(api="async-api")}, "workloads.async-inference.jobs.api: 'async-api' is not service:port"),
        ({"budgets": {"rpo_requests": 0}}, "budget rpo_requests means nothing for asynchronous jobs"),
        ({"role": "nobody"}, "workloads.async-inference.role: 'nobody' is not under roles"),
        ({"jobs": jobs_with(rate_rps=0)}, "workloads.async-inference.jobs.rate_rps"),
    ],
)
def test_a_mistake_is_told_by_its_key(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as wrong:
        read_target(written(tmp_path, **changes))
    assert said in str(wrong.value)


def test_steady_means_a_short_queue_nothing_old_and_every_consumer() -> None:
    target = read_target(FILE)
    made = steady_state(target, target.workloads[NAME])
    assert [probe["name"] for probe in made.probes] == ["queue-is-short", "nothing-is-old", "no-consumer-is-missing"]
    assert {probe["provider"]["arguments"]["role"] for probe in made.probes} == {"consumer"}


def test_asking_the_queue_takes_the_right_to_ask_services_in_its_namespace() -> None:
    [needed] = AsyncDriver.permissions(read_target(FILE), NAME)
    assert (needed.verb, needed.resource, needed.namespace) == ("get", "services/proxy", "ml-async")


def test_an_answer_is_right_as_far_as_it_goes_and_unknown_where_nobody_knows() -> None:
    def body(text: object) -> dict[str, object]:
        return {"choices": [{"text": text}]}

    known = Prompt("p", "abcdef")
    assert [_right(body(text), known, 4) for text in ("abc", "abcdef", "abx", "", 7)] == [True, True, False, False, False]
    assert _right({}, known, 4) is False
    assert _right(body("abc"), Prompt("p", None), 4) is None


def test_an_api_that_answers_something_else_is_no_data(monkeypatch: pytest.MonkeyPatch) -> None:
    client = JobsClient("http://here")
    monkeypatch.setattr(JobsClient, "_ask", lambda *_args, **_more: Answer(200, {"depth": 1}))
    with pytest.raises(NoData, match="/v1/queue: 200"):
        client.backlog()
    with pytest.raises(NoData, match="/v1/ends"):
        client.ends("0")


def test_a_queue_that_says_no_number_is_no_data(monkeypatch: pytest.MonkeyPatch) -> None:
    class Live:
        platform = type("P", (), {"target": read_target(FILE)})

    monkeypatch.setattr(jobs.active_run, "require", Live)
    monkeypatch.setattr(jobs.proxy, "get", lambda *_args: b'{"depth": 3, "oldest_s": 1.5, "dead": 0}')
    assert (jobs.depth("consumer", "async-api:8300"), jobs.oldest_s("consumer", "async-api:8300"), jobs.dead("consumer", "x:1")) == (
        3,
        1.5,
        0,
    )
    for said in (b"nothing", b"{}", b"[]", None):
        monkeypatch.setattr(jobs.proxy, "get", lambda *_args, said=said: said)
        with pytest.raises(NoData, match="has no number depth"):
            jobs.depth("consumer", "async-api:8300")
