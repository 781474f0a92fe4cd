"""The API of asynchronous inference, as a client of the platform asks it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import requests

from history.errors import NoData

NO_ANSWER_S = 10.0


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and a JSON body; status None: there was no answer, and ``error`` says why."""

    status: int | None
    body: dict[str, Any]
    error: str = ""


class JobsClient:
    """The API at ``url``; each call is a connection of its own, so that a balancer may choose anew."""

    def __init__(self, url: str, timeout_s: float = NO_ANSWER_S) -> None:
        self._url, self._timeout_s = url.rstrip("/"), timeout_s

    def submit(self, job: str, request: dict[str, object]) -> Answer:
        """Submit a job under an id of one's own."""
        return self._ask("POST", "/v1/jobs", json=request, headers={"idempotency-key": job})

    def cancel(self, job: str) -> Answer:
        """Say that nobody waits for a job."""
        return self._ask("DELETE", f"/v1/jobs/{job}")

    def result(self, job: str) -> Answer:
        """Fetch a result."""
        return self._ask("GET", f"/v1/jobs/{job}/result")

    def ends(self, after: str) -> list[dict[str, Any]]:
        """Return the rows of jobs that ended after a place. Raises NoData: no answer, or not these."""
        return list(self._needed(f"/v1/ends?after={after}", "ends"))

    def backlog(self) -> dict[str, Any]:
        """Return depth, oldest_s and dead of the queue. Raises NoData."""
        answer = self._ask("GET", "/v1/queue")
        if answer.status != requests.codes.ok or not {"depth", "oldest_s", "dead"} <= answer.body.keys():
            raise NoData(f"asynchronous inference at {self._url}: /v1/queue: {answer.error or answer.status}")
        return answer.body

    def last_place(self) -> str:
        """Return the place of the newest end: what comes after it belongs to this run. Raises NoData."""
        place = "0"
        while rows := self.ends(place):
            place = str(rows[-1]["place"])
        return place

    def _needed(self, path: str, key: str) -> Any:  # noqa: ANN401 - JSON
        answer = self._ask("GET", path)
        if answer.status != requests.codes.ok or key not in answer.body:
            raise NoData(f"asynchronous inference at {self._url}: {path}: {answer.error or answer.status}")
        return answer.body[key]

    def _ask(self, method: str, path: str, **more: Any) -> Answer:  # noqa: ANN401 - requests' own
        try:
            answer = requests.request(method, f"{self._url}{path}", timeout=self._timeout_s, **more)
            body = answer.json()
        except requests.JSONDecodeError:
            return Answer(answer.status_code, {}, "the answer is not JSON")
        except requests.RequestException as error:
            return Answer(None, {}, f"{type(error).__name__}: {error}"[:300])
        return Answer(answer.status_code, body if isinstance(body, dict) else {}, "" if answer.ok else str(body)[:300])
