"""Asking the engine for a completion, and what its answer means for a job."""

from dataclasses import dataclass

import requests

from workloads.async_inference.job import State

REFUSALS = range(400, 500)
NOT_NOW = frozenset({408, 425, 429, 502, 503, 504})
"""Nobody could answer now; it is no fault of the request."""


class EngineUnavailable(RuntimeError):
    """There is no engine to ask at present; the request may be asked again."""


class EngineBroke(RuntimeError):
    """An engine failed on this request; it counts as a delivery."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job ends, and the engine's body."""

    state: State
    body: bytes


class Engine:
    """The gateway at ``url``."""

    def __init__(self, url: str, timeout_s: float) -> None:
        self._url, self._timeout_s = f"{url.rstrip('/')}/v1/completions", timeout_s
        self._session = requests.Session()

    def complete(self, job_id: str, request: bytes) -> Outcome:
        """Ask for a completion. Raises EngineUnavailable, EngineBroke."""
        headers = {"content-type": "application/json", "x-request-id": job_id}
        try:
            answer = self._session.post(self._url, data=request, headers=headers, timeout=self._timeout_s)
        except requests.RequestException as error:
            raise EngineUnavailable(f"{self._url}: {error}") from error
        return outcome(answer.status_code, answer.content)


def outcome(status: int, body: bytes) -> Outcome:
    """Return what an answer means. Raises EngineUnavailable, EngineBroke."""
    if status == 200:
        return Outcome(State.DONE, body)
    if status in NOT_NOW:
        raise EngineUnavailable(f"the engine's answer is {status}")
    if status in REFUSALS:
        return Outcome(State.FAILED, body)
    raise EngineBroke(f"the engine's answer is {status}: {body[:200].decode(errors='replace')}")
