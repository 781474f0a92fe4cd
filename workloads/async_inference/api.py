"""The HTTP surface: submit, poll, fetch, cancel. ``python -m workloads.async_inference.api``. Settings: settings.py.

202 is said only after Redis has the job on its disk. A submission that got no answer may be sent again with the same ``Idempotency-Key``:
it is one job. Errors are ``{"error": sentence}``.
"""

import json
import logging
import os
import sys
import uuid
from collections.abc import Callable
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from workloads.async_inference.job import ID, Job, State
from workloads.async_inference.metrics import exposition
from workloads.async_inference.settings import Settings, from_environment
from workloads.async_inference.store import Store, Submitted, Unavailable
from workloads.environment import SettingRefused

SOON = {"retry-after": "1"}
NOT_DONE = {State.FAILED: 422, State.DEAD: 500}
log = logging.getLogger("api")


class Refused(ValueError):
    """A submission that is none, with its status."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class Service:
    """The endpoints."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings, self._store = settings, store

    async def submit(self, request: Request) -> Response:
        """POST /v1/jobs: 202 accepted, 429 the queue is full, 409 the key is another request's, 400 and 413 no request, 503 no Redis."""
        try:
            body = read(await request.body(), self._settings.largest_bytes)
            job_id = named(request.headers.get("idempotency-key"))
        except Refused as refused:
            return _error(refused.status, str(refused))
        except ClientDisconnect:
            return _error(400, "the client closed its connection before the request was complete")
        said = await run_in_threadpool(self._store.submit, job_id, body, self._settings.queue_limit)
        match said:
            case Submitted.ACCEPTED:
                return JSONResponse({"id": job_id}, 202, {"location": f"/v1/jobs/{job_id}"})
            case Submitted.FULL:
                return _error(429, f"{self._settings.queue_limit} jobs wait already", SOON)
            case Submitted.OTHER:
                return _error(409, f"id {job_id} is another request's")

    def poll(self, request: Request) -> Response:
        """GET /v1/jobs/ID: how far it is."""
        return self._of(request, lambda job: JSONResponse(job.shown()))

    def fetch(self, request: Request) -> Response:
        """GET /v1/jobs/ID/result: 200 and the engine's answer; 202 not yet; 422 the engine refused it; 500 it is a dead letter."""
        return self._of(request, _result)

    def cancel(self, request: Request) -> Response:
        """DELETE /v1/jobs/ID: the client does not wait any more. The job is done nevertheless, and can be fetched."""
        self._store.cancel(request.path_params["id"])
        return self._of(request, lambda job: JSONResponse(job.shown(), 202))

    def _of(self, request: Request, answer: Callable[[Job], Response]) -> Response:
        job_id = request.path_params["id"]
        job = self._store.job(job_id)
        return answer(job) if job else _error(404, f"there is no job {job_id}, or its end is long ago")

    def queue(self, _request: Request) -> Response:
        """GET /v1/queue: what has not ended, the age of the oldest (s), dead letters, and at how many jobs 429 is said."""
        seen = self._store.backlog()
        limit = self._settings.queue_limit
        return JSONResponse({"depth": seen.depth, "oldest_s": round(seen.oldest_s, 3), "dead": seen.dead, "limit": limit})

    def ends(self, request: Request) -> Response:
        """GET /v1/ends?after=PLACE: a row for each job that ended, in order; at most a thousand."""
        rows = self._store.ends(request.query_params.get("after") or "0")
        return JSONResponse({"ends": [{name: getattr(row, name) for name in row.__slots__} for row in rows]})

    def letters(self, _request: Request) -> Response:
        """GET /v1/dead: the dead letters, the newest first; at most a thousand."""
        return JSONResponse({"dead": self._store.letters()})

    def ready(self, _request: Request) -> Response:
        """GET /ready: 200 while Redis takes writes."""
        self._store.ping()
        return JSONResponse({"status": "ready"})

    async def live(self, _request: Request) -> Response:
        """GET /live: 200."""
        return JSONResponse({"status": "live"})

    def metrics(self, _request: Request) -> Response:
        """GET /metrics."""
        return Response(exposition(self._store.backlog), media_type="text/plain; version=0.0.4")


def read(body: bytes, largest: int) -> bytes:
    """Return the body of a submission. Raises Refused: it is too large, no JSON object, or asks for a stream."""
    if len(body) > largest:
        raise Refused(413, f"the request has {len(body)} bytes, at most {largest} are taken")
    try:
        asked: Any = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Refused(400, f"the request is not JSON: {error}") from error
    if not isinstance(asked, dict):
        raise Refused(400, f"the request is {type(asked).__name__}, expected a JSON object as POST /v1/completions takes it")
    if asked.get("stream"):
        raise Refused(400, "stream is set; the answer of a job is fetched whole, leave it out")
    return body


def named(key: str | None) -> str:
    """Return the id that a client asks for, or a new one. Raises Refused: it can be none."""
    if key is None:
        return uuid.uuid4().hex
    if not ID.fullmatch(key):
        raise Refused(400, f"Idempotency-Key {key[:80]!r} can be no id: up to 64 letters, digits, - and _, the first no sign")
    return key


def _result(job: Job) -> Response:
    if not job.state.ended:
        return JSONResponse(job.shown(), 202, SOON)
    if job.state is State.DONE:
        return Response(job.result, media_type="application/json")
    said = job.result.decode(errors="replace") or "work on it never came to an end; it is among the dead letters"
    return _error(NOT_DONE[job.state], f"job {job.id} is {job.state}: {said}")


def _error(status: int, sentence: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"error": sentence}, status, headers)


def _unavailable(_request: Request, error: Exception) -> Response:
    return _error(503, str(error), SOON)


def build(settings: Settings, store: Store) -> Starlette:
    """Return the ASGI application."""
    service = Service(settings, store)
    routes = [
        Route("/v1/jobs", service.submit, methods=["POST"]),
        Route("/v1/jobs/{id}", service.poll),
        Route("/v1/jobs/{id}", service.cancel, methods=["DELETE"]),
        Route("/v1/jobs/{id}/result", service.fetch),
        Route("/v1/queue", service.queue),
        Route("/v1/ends", service.ends),
        Route("/v1/dead", service.letters),
        Route("/ready", service.ready),
        Route("/live", service.live),
        Route("/metrics", service.metrics),
    ]
    return Starlette(routes=routes, exception_handlers={Unavailable: _unavailable})


def main() -> int:
    """Serve until SIGTERM; a refusal is one sentence and exit code 1."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    try:
        settings = from_environment(os.environ)
    except SettingRefused as refusal:
        log.error("refuses to serve: %s", refusal)  # noqa: TRY400  a sentence, not a traceback
        return 1
    store = Store(settings.redis_url, settings.redis_timeout_s, settings.result_ttl_s)
    uvicorn.run(
        build(settings, store),
        host=settings.host,
        port=settings.port,
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=5,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
