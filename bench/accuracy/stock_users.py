"""What locust's own users do: a locustfile of ``constant_throughput`` users as its documentation writes them.

Read by ``locust -f``, in its own process. Every request is kept (user, wall-clock start, duration) and written at the end to
``STOCK_OUT`` as CSV. The same questions can then be asked of them as of the open-loop dispatcher.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from locust import FastHttpUser, constant_throughput, events, task

REQUESTS: list[tuple[int, float, float]] = []


class Stock(FastHttpUser):
    """Asks, waits for the answer, then keeps its pace."""

    wait_time = constant_throughput(float(os.environ.get("STOCK_RPS_PER_USER", "1")))

    @task
    def complete(self) -> None:
        """Ask for one completion."""
        asked = {"model": "tiny", "prompt": "hello", "max_tokens": 8, "temperature": 0}
        self.client.post("/v1/completions", json=asked, context={"user": id(self)})


@events.request.add_listener  # type: ignore[untyped-decorator]  # locust's decorators are not typed
def keep(start_time: float, response_time: float, context: dict[str, Any], **_other: object) -> None:
    """Keep one request."""
    REQUESTS.append((context["user"], start_time, response_time))


@events.quitting.add_listener  # type: ignore[untyped-decorator]  # locust's decorators are not typed
def write(**_other: object) -> None:
    """Write all of them."""
    lines = (f"{user},{start_s:.6f},{duration_ms:.3f}\n" for user, start_s, duration_ms in REQUESTS)
    Path(os.environ["STOCK_OUT"]).write_text("user,start_s,duration_ms\n" + "".join(lines))
