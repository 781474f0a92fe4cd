"""The queue of asynchronous jobs, asked of its API through the API server."""

from __future__ import annotations

import json

from history.errors import NoData
from kube import proxy
from probes.targets import output, targets_of
from safety import active_run
from target.job_queue import DEAD, QUEUE, poison_mark


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


def crowded(activity: str, role: str, api: str, at_least: int) -> bool:
    """Tell whether at least so many jobs were accepted and have not ended. Same other arguments and errors as :func:`depth`.

    Args:
        activity: the action that this is evidence of.
        role: a role in whose namespace the API is.
        api: ``service:port`` of the API there.
        at_least: more than wait without the fault.

    """
    targets_of(activity, "Pod")
    return depth(role, api) >= at_least


def poisoned(activity: str, role: str) -> bool:
    """Tell whether a message of ``activity`` is in the queue of its target, or was set aside from it: Redis is asked itself.

    Raises:
        NoData: redis-cli cannot be run in the target.

    """
    [target, *_] = targets_of(activity, "Pod")
    told = output(target, role, ["sh", "-c", f"redis-cli XRANGE {QUEUE} - +; redis-cli XREVRANGE {DEAD} + - COUNT 1000"])
    return poison_mark(active_run.require().plan.run_id) in told
