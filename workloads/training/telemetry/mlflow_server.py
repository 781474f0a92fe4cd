"""MLflow, the real tracking server, as processes on 127.0.0.1: for tests and benchmarks.

On a cluster the same program runs in a pod (manifests/training/platform/tracking.yaml).
"""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Self

import psutil
import requests

from workloads.storage.server import came_up
from workloads.training.errors import TrainingError

START_S = 300.0  # it makes its database first, and reads half a gigabyte of Python

ANSWERING = "mlflow.server.fastapi_app:app"
QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}


class MlflowServer:
    """One server with its database below ``folder``; a context manager that ends it. Raises TrainingError if it does not come up."""

    def __init__(self, folder: Path, port: int) -> None:
        self.endpoint = f"http://127.0.0.1:{port}"
        self._log = folder / "mlflow.log"
        at = ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--no-serve-artifacts", "--workers", "1", "--port", str(port)]
        self._argv = [sys.executable, "-m", "mlflow", "server", *at]

    def __enter__(self) -> Self:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._argv, env={**os.environ, **QUIET}, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        if not came_up(self._process, self.answers, START_S):
            self.__exit__()
            raise TrainingError(f"mlflow at {self.endpoint} did not answer within {START_S:g} s: {self._log.read_text()[-500:]}")
        return self

    def __exit__(self, *_: object) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)  # a group of its own: both of its processes
        self._process.wait(START_S)

    def answers(self, timeout_s: float = 1.0) -> bool:
        """Tell whether it answers a request within ``timeout_s``."""
        try:
            return requests.get(f"{self.endpoint}/health", timeout=timeout_s).ok
        except requests.RequestException:
            return False

    @property
    def pid(self) -> int:
        """The process that answers; the one that was started only watches it."""
        [found] = [one.pid for one in psutil.Process(self._process.pid).children() if ANSWERING in one.cmdline()]
        return found
