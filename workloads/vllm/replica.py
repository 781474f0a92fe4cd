"""What stands between vLLM and the gateway, as middleware of vLLM's own server: answers name their pod, and a leaving replica says so.

HAProxy asks /health/balancer (workloads/manifests/base/haproxy.cfg): 404 once the replica leaves, so that it gets nothing new and loses
nothing; else whatever vLLM's /health says. The pod's preStop hook makes the file that says that it leaves.
"""

import os
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

LEAVING = Path("/tmp/leaving")  # noqa: S108 - of the container, which nobody shares
BALANCER, HEALTH = "/health/balancer", "/health"

Message = MutableMapping[str, Any]  # of ASGI
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]


class Replica:
    """ASGI middleware."""

    def __init__(self, app: App) -> None:
        self._app, self._pod = app, os.environ.get("POD_NAME", "").encode()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer for a replica that leaves; else pass the request on and put the pod's name on the answer."""

        async def send_named(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), (b"x-pod", self._pod)]
            await send(message)

        if scope["type"] == "http" and scope["path"] == BALANCER:
            if LEAVING.exists():
                await send_named({"type": "http.response.start", "status": 404, "headers": [(b"content-type", b"text/plain")]})
                await send_named({"type": "http.response.body", "body": b"leaving\n"})
                return
            scope = {**scope, "path": HEALTH, "raw_path": HEALTH.encode()}
        await self._app(scope, receive, send_named)
