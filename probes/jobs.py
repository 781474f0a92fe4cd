"""The queue of asynchronous jobs, asked of its API through the API server."""

from __future__ import annotations

import json

from history.errors import NoData
from kube import proxy
from safety import active_run


def depth(role: str, api: str) -> int:
    """Return how many jobs were accepted and have not ended.

    Args:
        role: a role in whose namespace the API is.
        api: ``service:port`` of the API there.

    Raises:
        NoData: it does not answer, or not with a number.

    """
    return int(_asked(role, api, "depth"))


def oldest_s(role: str, api: str) -> float:
    """Return how old the oldest job is that has not ended (s); 0: there is none. Same arguments and errors as :func:`depth`."""
    return _asked(role, api, "oldest_s")


def dead(role: str, api: str) -> int:
    """Return how many dead letters there are. Same arguments and errors as :func:`depth`."""
    return int(_asked(role, api, "dead"))


def _asked(role: str, api: str, what: str) -> float:
    platform = active_run.require().platform
    namespace = platform.target.role(role).namespace
    body = proxy.get(platform, namespace, api, "v1/queue")
    try:
        return float(json.loads(body or b"")[what])
    except (ValueError, KeyError, TypeError) as error:
        raise NoData(f"service {namespace}/{api}: v1/queue has no number {what}; is this the API of asynchronous inference?") from error
