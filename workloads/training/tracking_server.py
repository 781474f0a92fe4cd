"""Takes training metrics and keeps them: ``python -m workloads.training.tracking_server FOLDER [--port N]``.

Speaks the part of MLflow's REST API that a training job and whoever looks at it need, so that an MLflow server can stand in its place
(https://mlflow.org/docs/latest/rest-api.html): POST …/runs/log-batch, GET …/metrics/get-history, GET /health. Metrics are answered for
once they are synced to disk. Unlike there, a run need not be created before; its id is its name.
"""

import json
import sys
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from workloads.training import ledger_server

API = "/api/2.0/mlflow"
_LARGEST = 1 << 20  # bytes of one batch, as in MLflow
_KINDS: dict[str, type | tuple[type, ...]] = {"key": str, "value": (int, float), "timestamp": int, "step": int}


class Handler(ledger_server.Handler):
    """One connection of a trainer or a reader."""

    def do_POST(self) -> None:  # noqa: N802  http.server looks for this name
        """Keep the metrics of a batch durably."""
        body = self._body(_LARGEST)
        try:
            path, lines = self._batch(json.loads(body))
        except (ValueError, KeyError, TypeError) as error:
            return self._refuse(HTTPStatus.BAD_REQUEST, "INVALID_PARAMETER_VALUE", f"{type(error).__name__}: {error}")
        if self.path != f"{API}/runs/log-batch":
            return self._refuse(HTTPStatus.NOT_FOUND, "ENDPOINT_NOT_FOUND", self.path)
        problem = self._append(path, lines) if lines else ""
        if problem:
            return self._refuse(HTTPStatus.INTERNAL_SERVER_ERROR, "INTERNAL_ERROR", problem)
        return self._answer(HTTPStatus.OK, b"{}")

    def do_GET(self) -> None:  # noqa: N802  http.server looks for this name
        """Return every value of one metric of a run, in the order in which they came."""
        asked = urlsplit(self.path)
        if asked.path == "/health":
            return self._answer(HTTPStatus.OK, b"OK")
        query = {name: values[-1] for name, values in parse_qs(asked.query).items()}
        path = self._file(query.get("run_id", ""))
        if asked.path != f"{API}/metrics/get-history" or "metric_key" not in query or path is None:
            return self._refuse(HTTPStatus.BAD_REQUEST, "INVALID_PARAMETER_VALUE", "expected metrics/get-history?run_id=…&metric_key=…")
        if not path.exists():
            return self._refuse(HTTPStatus.NOT_FOUND, "RESOURCE_DOES_NOT_EXIST", f"run {query['run_id']}: it has no metrics")
        path.touch()  # it is used
        found = [one for one in _kept(path) if one["key"] == query["metric_key"]]
        return self._answer(HTTPStatus.OK, json.dumps({"metrics": found}).encode())

    def _batch(self, body: dict[str, Any]) -> tuple[Path, bytes]:
        """Return where a batch belongs, and its lines. Raises ValueError, KeyError, TypeError: it is none."""
        path = self._file(body["run_id"])
        if path is None:
            raise ValueError(f"run_id {body['run_id']!r} can be no name")
        metrics = [{name: one[name] for name in _KINDS} for one in body.get("metrics", [])]
        for one in metrics:
            for name, kind in _KINDS.items():
                if not isinstance(one[name], kind):
                    raise TypeError(f"{name} is {one[name]!r}")
        return path, b"".join(json.dumps(one).encode() + b"\n" for one in metrics)

    def _refuse(self, status: HTTPStatus, code: str, why: str) -> None:
        self._answer(status, json.dumps({"error_code": code, "message": why}).encode())


def _kept(path: Path) -> list[dict[str, Any]]:
    """Return the metrics of a file; a line that a power cut left half was never acknowledged."""
    found = []
    for line in path.read_text().splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


if __name__ == "__main__":
    sys.exit(ledger_server.serve(None, "tracking_server", (__doc__ or "").splitlines()[0], 8200, Handler))
