"""The HTTP surface: /v1/completions, /v1/models, /health, /health/balancer, /metrics."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pydantic
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from workloads.inference import tokens, wire
from workloads.inference.client import EngineClient, EngineState, EngineUnavailable, Failed, Handle, QueueFull
from workloads.inference.metrics import ServerMetrics
from workloads.inference.schema import Answer, CompletionRequest, RequestRefused, error_body
from workloads.inference.settings import Health, Settings
from workloads.inference.weights import WeightsRecord

DONE = b"data: [DONE]\n\n"


@dataclass(slots=True)
class Drain:
    """How far a shutdown has got; set by serving.py."""

    started: bool = False
    """/health is red."""
    refusing: bool = False
    """New requests are answered 503."""


class CutStream(Response):
    """Server-sent events; when the source ends without [DONE] the connection is cut, so that no client takes the answer for complete."""

    media_type = "text/event-stream"

    def __init__(self, events: AsyncIterator[bytes]) -> None:
        super().__init__(headers={"cache-control": "no-cache"})
        del self.headers["content-length"]
        self._events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  ASGI's signature
        """Send event by event. Returning without a final body message makes uvicorn close the connection mid-chunk."""
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        event = b""
        async for event in self._events:
            await send({"type": "http.response.body", "body": event, "more_body": True})
        if event == DONE:
            await send({"type": "http.response.body", "body": b"", "more_body": False})


class Identity:
    """Middleware: every answer names the pod and echoes the request's id."""

    def __init__(self, app: ASGIApp, pod_name: str) -> None:
        self._app, self._pod_name = app, pod_name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Give the request an id unless the client did, and put both headers on the answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = Request(scope).headers.get("x-request-id") or uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id

        async def send_named(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["x-pod"], headers["x-request-id"] = self._pod_name, request_id
            await send(message)

        await self._app(scope, receive, send_named)


class Service:
    """The endpoints of one replica."""

    def __init__(self, settings: Settings, record: WeightsRecord, client: EngineClient, metrics: ServerMetrics, drain: Drain) -> None:
        self._settings, self._context = settings, record.config["context"]
        self._client, self._metrics, self._drain = client, metrics, drain
        self._watches: set[asyncio.Task[None]] = set()

    async def completions(self, request: Request) -> Response:
        """POST /v1/completions."""
        try:
            return await self._complete(request)
        except RequestRefused as refusal:
            return _error(refusal.status, str(refusal))
        except QueueFull as full:
            # 429, not 503: the gateway retries a 503 elsewhere, and retries must not multiply the load of a full service
            return _error(429, str(full), {"retry-after": "1"})
        except EngineUnavailable as unavailable:
            return _error(503, str(unavailable), {"retry-after": "1"})
        except ClientDisconnect:
            return _error(400, "the client closed its connection before the request was complete")

    async def _complete(self, request: Request) -> Response:
        if self._drain.refusing:
            raise EngineUnavailable("this replica is shutting down")
        try:
            asked = CompletionRequest.model_validate_json(await request.body())
        except pydantic.ValidationError as error:
            problems = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'body'}: {e['msg']}" for e in error.errors())
            raise RequestRefused(400, f"malformed request: {problems}") from error
        handle = await self._client.submit(asked.prompt_ids(self._settings.model_name, self._context), asked.max_tokens)
        watch = asyncio.create_task(self._abort_on_disconnect(request, handle))
        self._watches.add(watch)  # the event loop keeps weak references only
        watch.add_done_callback(self._watches.discard)
        answer = Answer(asked, request.state.request_id)
        # Until the first token nothing is sent: a request that has no byte of its answer yet can be repeated on another replica.
        first = await handle.events.get()
        if isinstance(first, Failed):
            raise EngineUnavailable(first.reason)
        if asked.stream:
            return CutStream(self._stream(handle, first, answer))
        return Response(answer.whole(await self._collect(handle, first)), media_type="application/json")

    async def _collect(self, handle: Handle, event: wire.Token) -> str:
        """Gather the whole answer's text; raises EngineUnavailable when it can't be completed."""
        ids = [event.token]
        while not event.last:
            following = await handle.events.get()
            if isinstance(following, Failed):
                raise EngineUnavailable(following.reason)
            event = following
            ids.append(event.token)
        return tokens.decode(ids)

    async def _stream(self, handle: Handle, event: wire.Token, answer: Answer) -> AsyncIterator[bytes]:
        """One event a token, then [DONE]; or an error event and no [DONE]."""
        yield answer.chunk(tokens.decode([event.token]), event.last)
        while not event.last:
            following = await handle.events.get()
            if isinstance(following, Failed):
                yield b"data: " + error_body(503, following.reason) + b"\n\n"
                return
            event = following
            yield answer.chunk(tokens.decode([event.token]), event.last)
        yield DONE

    async def _abort_on_disconnect(self, request: Request, handle: Handle) -> None:
        """Free the slot of a user who has gone. After the body, ASGI's next message is the disconnect, also after a complete answer."""
        while (await request.receive())["type"] != "http.disconnect":
            pass
        await self._client.abort(handle)

    async def models(self, _request: Request) -> Response:
        """GET /v1/models."""
        card = {"id": self._settings.model_name, "object": "model", "owned_by": "aftershock", "max_model_len": self._context}
        return JSONResponse({"object": "list", "data": [card]})

    async def health(self, _request: Request) -> Response:
        """GET /health: 200 when this replica should get requests, else 503; the body says why."""
        return self._health(while_draining=503)

    async def balancer_health(self, _request: Request) -> Response:
        """GET /health/balancer: as /health, but 404 while draining.

        HAProxy (http-check disable-on-404) then sends nothing new and cuts nothing; at a 503 it would cut the streams that a drain is for.
        """
        return self._health(while_draining=404)

    def _health(self, while_draining: int) -> Response:
        state = "draining" if self._drain.started else str(self._client.state)
        red = self._settings.health is not Health.API_ONLY and self._client.state is not EngineState.READY
        body = {"status": state, "engine_progress_age_s": round(self._client.progress_age_s, 3)}
        return JSONResponse(body, while_draining if self._drain.started else 503 if red else 200)

    async def exposition(self, _request: Request) -> Response:
        """GET /metrics."""
        return Response(self._metrics.exposition(), media_type="text/plain; version=0.0.4")


def _error(status: int, sentence: str, headers: dict[str, str] | None = None) -> Response:
    return Response(error_body(status, sentence), status, headers, media_type="application/json")


def build(service: Service, pod_name: str) -> ASGIApp:
    """Assemble the ASGI application of one replica."""
    routes = [
        Route("/v1/completions", service.completions, methods=["POST"]),
        Route("/v1/models", service.models),
        Route("/health", service.health),
        Route("/health/balancer", service.balancer_health),
        Route("/metrics", service.exposition),
    ]
    return Identity(Starlette(routes=routes), pod_name)
