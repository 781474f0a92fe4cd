"""The hardened reference platform on the embedded cluster, through the load balancer in front of it (make deploy)."""

import json
import subprocess
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from testing.waiting import wait_for
from workloads.inference import reference

INFERENCE, PROMETHEUS = "http://127.0.0.1:18080", "http://127.0.0.1:19090"
REPOSITORY = Path(__file__).parents[2]
REQUEST_PERIOD_S = 0.2


@dataclass(frozen=True, slots=True)
class Answer:
    right: bool
    pod: str
    gateway: str
    said: str


@pytest.fixture(scope="module")
def prompts() -> list[dict[str, Any]]:
    return [json.loads(line) for line in reference.SHIPPED.read_text().splitlines()]


def ask(row: dict[str, Any], stream: bool) -> Answer:
    """One request; a broken connection is a wrong answer."""
    body = {"model": "aftershock-ring", "prompt": row["prompt"], "max_tokens": 48, "temperature": 0, "stream": stream}
    try:
        response = requests.post(f"{INFERENCE}/v1/completions", json=body, timeout=30)
    except requests.RequestException as error:
        return Answer(False, "", "", repr(error))
    text = response.text
    if response.ok and stream:
        *chunks, done = [line.removeprefix("data: ") for line in response.text.splitlines() if line]
        text = "".join(json.loads(chunk)["choices"][0]["text"] for chunk in chunks) + done.removeprefix("[DONE]")
    elif response.ok:
        text = response.json()["choices"][0]["text"]
    return Answer(text == row["completion"][:48], response.headers.get("x-pod", ""), response.headers.get("x-served-by", ""), text)


def kubectl(*arguments: str) -> str:
    command = [sys.executable, "-m", "cluster", "kubectl", *arguments]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True, timeout=300).stdout


def pods(app: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(kubectl("-n", "ml-serving", "get", "pods", "-l", f"app={app}", "-o", "json"))["items"]
    # a pod that a rebooted node refused stays listed as Failed
    return [pod for pod in found if "deletionTimestamp" not in pod["metadata"] and pod["status"]["phase"] != "Failed"]


def query(promql: str) -> list[dict[str, Any]]:
    answer = requests.get(f"{PROMETHEUS}/api/v1/query", params={"query": promql}, timeout=10).json()
    assert answer["status"] == "success", answer
    result: list[dict[str, Any]] = answer["data"]["result"]
    return result


class Stream:
    """Requests at a steady rate, whatever happens to the earlier ones, plain and streamed in turn."""

    def __init__(self, prompts: list[dict[str, Any]]) -> None:
        self._prompts, self._end = prompts, threading.Event()
        self._pool = ThreadPoolExecutor(32)
        self._asked: list[Future[Answer]] = []
        self._pace = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._end.wait(REQUEST_PERIOD_S):
            number = len(self._asked)
            self._asked.append(self._pool.submit(ask, self._prompts[number % len(self._prompts)], number % 2 == 0))

    def __enter__(self) -> "Stream":
        self._pace.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._pace.join()
        self._pool.shutdown()

    def answers(self) -> list[Answer]:
        return [one.result() for one in self._asked]


@pytest.mark.quiet
def test_every_prompt_is_answered_right_through_the_load_balancer(prompts: list[dict[str, Any]]) -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda row: ask(row, row["prompt_id"] % 4 == 0), prompts))
    assert [answer for answer in answers if not answer.right] == []
    assert {answer.pod for answer in answers} == {pod["metadata"]["name"] for pod in pods("inference")}
    assert {answer.gateway for answer in answers} == {pod["metadata"]["name"] for pod in pods("gateway")}


def test_every_replica_has_a_device_of_its_own_and_is_scraped() -> None:
    names = {pod["metadata"]["name"] for pod in pods("inference")}
    scraped = 'up{job="inference"} == 1'
    wait_for(lambda: {one["metric"]["pod"] for one in query(scraped)} == names, f"Prometheus scrapes exactly {names}")
    assert len(names) == 3
    for pod in names:
        devices = kubectl(
            "-n", "ml-serving", "exec", pod, "-c", "server", "--", "/bin/sh", "-c", "cat /dev/aftershock/$NVIDIA_VISIBLE_DEVICES/status"
        )
        assert devices.strip() == "ok"


@pytest.mark.parametrize(
    "metric",
    [
        "vllm:num_requests_running",
        "vllm:num_requests_waiting",
        "vllm:generation_tokens_total",
        "vllm:time_to_first_token_seconds_bucket",
        'vllm:request_success_total{finished_reason="length"}',
    ],
)
def test_a_metric_of_every_replica_is_in_prometheus(metric: str) -> None:
    names = {pod["metadata"]["name"] for pod in pods("inference")}
    found: list[dict[str, Any]] = []

    def there() -> bool:
        found[:] = query(f"count by (pod, namespace, model_name) ({metric})")
        return names <= {one["metric"]["pod"] for one in found}

    wait_for(there, f"{metric} of {names}")  # a scrape that a busy machine missed takes them away for a second
    assert {(one["metric"]["namespace"], one["metric"]["model_name"]) for one in found} == {("ml-serving", "aftershock-ring")}


def test_the_gateways_report_their_servers() -> None:
    serving = {pod["metadata"]["name"] for pod in pods("gateway")}

    def up() -> dict[str, str]:
        found = query('sum by (pod) (haproxy_server_status{job="gateway", proxy="inference", state="UP", server=~"replica.*"})')
        return {one["metric"]["pod"]: one["value"][1] for one in found if one["metric"]["pod"] in serving}

    wait_for(lambda: up() == dict.fromkeys(serving, "3"), "every gateway holds three replicas for up")


@pytest.mark.quiet
@pytest.mark.parametrize("deployment", ["inference", "gateway"])
def test_a_rolling_restart_loses_no_request(prompts: list[dict[str, Any]], deployment: str) -> None:
    before = {pod["metadata"]["name"] for pod in pods(deployment)}
    with Stream(prompts) as stream:
        kubectl("-n", "ml-serving", "rollout", "restart", f"deployment/{deployment}")
        kubectl("-n", "ml-serving", "rollout", "status", f"deployment/{deployment}", "--timeout=240s")
    answers = stream.answers()
    assert [answer for answer in answers if not answer.right] == []
    assert len(answers) > 20
    assert before.isdisjoint(pod["metadata"]["name"] for pod in pods(deployment))
    nodes = [pod["spec"]["nodeName"] for pod in pods(deployment)]
    assert {node[-1] for node in nodes} == {"a", "b", "c"}, f"one replica a zone, found {nodes}"
