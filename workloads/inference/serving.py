"""One replica from start to exit: uvicorn, the engine client, and what SIGTERM means."""

import asyncio
import contextlib
import logging
import signal
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp

from workloads.inference import app, weights
from workloads.inference.client import EngineClient
from workloads.inference.metrics import ServerMetrics
from workloads.inference.settings import EngineDeath, Settings

KEEP_ALIVE_S = 75  # longer than the gateway keeps idle connections, so that the gateway closes them, never we under its next request
log = logging.getLogger("api")


class SignalFreeServer(uvicorn.Server):
    """uvicorn without signal handlers of its own: a drain comes before its shutdown here."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to `serve`."""
        yield


async def serve(settings: Settings) -> int:
    """Serve until SIGTERM (exit code 0 after a complete drain, 1 if requests had to be cut) or the engine's death (1).

    Raises weights.WeightsRefused before anything starts.
    """
    _, record = weights.accepted(settings.model_dir, settings.weights_check)
    metrics, drain, terminated = ServerMetrics(settings.model_name), app.Drain(), asyncio.Event()
    client = EngineClient(settings, metrics)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, terminated.set)
    await client.start()
    service = app.Service(settings, record, client, metrics, drain)
    server = _server(settings, app.build(service, settings.pod_name))
    serving = asyncio.create_task(server.serve())
    try:
        ends = [asyncio.create_task(terminated.wait()), serving]
        ends += [asyncio.create_task(client.died.wait())] if settings.engine_death is EngineDeath.EXIT else []
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        drained = terminated.is_set() and await _drained(settings, client, drain)
        server.should_exit = True
        await serving
    finally:
        await client.stop()
    return 0 if drained else 1


async def _drained(settings: Settings, client: EngineClient, drain: app.Drain) -> bool:
    """Turn red, go on for the grace, refuse, let the rest finish. True when no request was cut."""
    drain.started = True
    grace_s = settings.drain_grace_s if settings.drain_s > 0 else 0.0
    log.info("SIGTERM: draining, %.1f s of grace, then up to %.1f s for requests in flight", grace_s, settings.drain_s)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(client.died.wait(), grace_s)
    drain.refusing = True
    complete = await client.drained(settings.drain_s)
    log.info("drained" if complete else "drain time is up, the remaining requests were cut")
    return complete and not client.died.is_set()


def _server(settings: Settings, application: ASGIApp) -> SignalFreeServer:
    config = uvicorn.Config(
        application,
        settings.host,
        settings.port,
        http="httptools",
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=2,
    )
    return SignalFreeServer(config)
