"""Real server processes on 127.0.0.1, started together because each imports torch for seconds."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import requests
from prometheus_client.parser import text_string_to_metric_families

from testing.waiting import wait_for
from workloads.storage.server import free_port

DEADLINE_S = 180.0  # for states; generous, because it is only reached when a test fails


@dataclass(frozen=True, slots=True)
class Prompt:
    prompt: str
    completion: str


class Replica:
    """One server: API process, its engine, and a client."""

    def __init__(self, folder: Path, **settings: str) -> None:
        folder.mkdir()
        port = free_port()
        self.url, self.log = f"http://127.0.0.1:{port}", folder / "log"
        environment = os.environ | {"HOST": "127.0.0.1", "PORT": str(port), "POD_NAME": folder.name} | settings
        with self.log.open("w") as log:
            self.api = subprocess.Popen([sys.executable, "-m", "workloads.inference.api"], env=environment, stdout=log, stderr=log)

    def health(self) -> tuple[int, str]:
        """Status code and state; (0, "unreachable") when nobody answers."""
        try:
            answer = requests.get(f"{self.url}/health", timeout=DEADLINE_S)
        except requests.ConnectionError:
            return 0, "unreachable"
        return answer.status_code, answer.json()["status"]

    def ready(self) -> "Replica":
        wait_for(lambda: self.health()[1] == "ready" or self.api.poll() is not None, f"{self.url} is ready")
        assert self.api.poll() is None, self.log.read_text()
        return self

    @property
    def engine(self) -> psutil.Process:
        (engine,) = [child for child in psutil.Process(self.api.pid).children() if child.name() == "EngineCore"]
        return engine

    def post(self, prompt: str, max_tokens: int = 64, stream: bool = False, **extra: object) -> requests.Response:
        body = {"model": "aftershock-ring", "prompt": prompt, "max_tokens": max_tokens, "temperature": 0, "stream": stream} | extra
        return requests.post(f"{self.url}/v1/completions", json=body, stream=stream, timeout=DEADLINE_S)

    def text(self, prompt: str, max_tokens: int = 64) -> str:
        """The text of a plain answer."""
        return str(self.post(prompt, max_tokens).json()["choices"][0]["text"])

    def metric(self, name: str, **labels: str) -> float:
        """Value of one sample in /metrics."""
        exposition = requests.get(f"{self.url}/metrics", timeout=DEADLINE_S).text
        samples = [sample for family in text_string_to_metric_families(exposition) for sample in family.samples if sample.name == name]
        (value,) = [sample.value for sample in samples if labels.items() <= sample.labels.items()]
        return value

    def exit_code(self) -> int:
        return self.api.wait(DEADLINE_S)

    def close(self) -> None:
        """End what is left; a frozen engine too."""
        if self.api.poll() is None:
            for child in psutil.Process(self.api.pid).children(recursive=True):
                with contextlib.suppress(psutil.NoSuchProcess):
                    child.send_signal(signal.SIGKILL)
            self.api.kill()
        self.api.wait()


def events(response: requests.Response) -> Iterator[str]:
    """The data of each server-sent event."""
    for line in response.iter_lines(chunk_size=1, decode_unicode=True):
        if line:
            yield line.removeprefix("data: ")


def token_of(event: str) -> str:
    return str(json.loads(event)["choices"][0]["text"])
