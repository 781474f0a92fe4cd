"""The processes of asynchronous inference, each of which can be killed and started again; what Redis was given lies in ``folder``."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis
import requests

from testing.waiting import wait_for
from workloads import async_inference
from workloads.async_inference.store import Store
from workloads.storage.server import free_port

CONFIGURATION = Path(async_inference.__file__).with_name("redis.conf")
PATIENT = {"REDIS_TIMEOUT_S": "60", "ENGINE_TIMEOUT_S": "60"}  # who is killed refuses at once: nothing here is found out by waiting
ANSWER_S = 90.0


class Stack:
    """Redis, one API, and consumers by name; ``settings`` are those of API and consumers, in capitals."""

    def __init__(self, folder: Path, engine_url: str, **settings: str) -> None:
        (folder / "data").mkdir(parents=True, exist_ok=True)
        self.folder, self._redis_port, self._port = folder, free_port(), free_port()
        self.url, self.redis_url = f"http://127.0.0.1:{self._port}", f"redis://127.0.0.1:{self._redis_port}/0"
        self._settings = (
            {"HOST": "127.0.0.1", "PORT": str(self._port), "REDIS_URL": self.redis_url, "ENGINE_URL": engine_url} | PATIENT | settings
        )
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.store, self.redis = Store(self.redis_url, 2.0), redis.Redis.from_url(self.redis_url)

    def start_redis(self) -> None:
        """Start Redis on its data, and wait until it answers."""
        data, port = str(self.folder / "data"), str(self._redis_port)
        self._start("redis", "redis-server", str(CONFIGURATION), "--port", port, "--bind", "127.0.0.1", "--dir", data)
        self._await("redis", self._answers)

    def start_api(self) -> None:
        """Start the API, and wait until it takes work."""
        self._start("api", sys.executable, "-m", "workloads.async_inference.api")
        self._await("api", lambda: self.get("/ready", quiet=True) is not None)

    def start_consumer(self, name: str, **settings: str) -> None:
        """Start a consumer of that name; ``settings``, in capitals, are its own."""
        self._start(name, sys.executable, "-m", "workloads.async_inference.consumer", POD_NAME=name, **settings)

    def emptied(self) -> None:
        """Start Redis and the API if they do not run, and forget every job."""
        if "redis" not in self.running:
            self.start_redis()
        if "api" not in self.running:
            self.start_api()
        self.redis.flushall()

    def _start(self, name: str, *command: str, **more: str) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | self._settings | more)

    def _await(self, name: str, met: Any) -> None:
        wait_for(lambda: met() or self.running[name].poll() is not None, f"{name} is up", 60.0)
        assert self.running[name].poll() is None, (self.folder / f"{name}.log").read_text()

    def _answers(self) -> bool:
        try:
            self.store.ping()
        except RuntimeError:
            return False
        return True

    def kill(self, name: str) -> None:
        """Send SIGKILL, and wait until the process is gone."""
        self.running[name].kill()
        self.running.pop(name).wait()

    def leave(self, name: str) -> int:
        """Send SIGTERM; return the exit code."""
        process = self.running.pop(name)
        process.terminate()
        return process.wait(30)

    def get(self, path: str, *, quiet: bool = False) -> Any:
        """Return what the API answers to ``GET path`` with 200; None if quiet and there is no such answer."""
        try:
            answer = requests.get(f"{self.url}{path}", timeout=ANSWER_S)
        except requests.RequestException:
            if quiet:
                return None
            raise
        assert quiet or answer.ok, f"{path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.status_code == 200 else None

    def submit(self, prompt: str, job: str | None = None, **more: object) -> requests.Response:
        """Submit a request for the completion of ``prompt``."""
        headers = {"idempotency-key": job} if job else {}
        body = {"model": "aftershock-ring", "prompt": prompt, "max_tokens": 8} | more
        return requests.post(f"{self.url}/v1/jobs", json=body, headers=headers, timeout=ANSWER_S)

    def accepted(self, prompt: str) -> str:
        """Submit a request, which must be accepted; return its id."""
        answer = self.submit(prompt)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    def state(self, job: str) -> str:
        """Return how far a job is."""
        return str(self.get(f"/v1/jobs/{job}")["state"])

    def ends(self) -> list[dict[str, Any]]:
        """Return the row of every job that ended."""
        rows: list[dict[str, Any]] = []
        while more := self.get(f"/v1/ends?after={rows[-1]['place'] if rows else '0'}")["ends"]:
            rows += more
        return rows

    def close(self) -> None:
        """Kill what is left."""
        for name in [*self.running]:
            self.kill(name)
        self.store.close()
        self.redis.close()


@contextmanager
def stack(folder: Path, engine_url: str, consumers: tuple[str, ...] = ("one",), /, **settings: str) -> Iterator[Stack]:
    """Have a whole stack while inside."""
    made = Stack(folder, engine_url, **settings)
    try:
        made.start_redis()
        made.start_api()
        for name in consumers:
            made.start_consumer(name)
        yield made
    finally:
        made.close()
