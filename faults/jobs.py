"""Jobs that hurt a queue of asynchronous inference: more than it takes at once, and messages that nobody can do."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from random import Random

import requests

from history.errors import ConfigError, FaultFailed, NoData
from history.plan import ResolvedTarget
from kube.client import Platform
from kube.container_exec import output_in
from kube.container_exec import permissions as look_inside
from kube.permissions import Permission, in_namespace
from kube.selection import choose_pods, pod_target
from safety import fault_steps
from safety.fault_spec import Arguments, KillTrial, fault, whole_number
from target.job_queue import QUEUE, poison_id
from target.region import Region

MOST_JOBS, MOST_POISON, AT_ONCE, ANSWER_S = 5000, 100, 32, 10.0
ACCEPTED, FULL = 202, 429
FLOOD_S = 60.0  # for all submissions of a flood: where nobody answers any more, the rest is left out
MAX_TOKENS = 24  # of each job of a flood
DONE = "at once; what was accepted is done by the platform"
SET_ASIDE = "at once; the platform sets them aside"
_on_queue = partial(fault, tier="namespace", killed=KillTrial(left_out="a queue of asynchronous inference is needed"))


def _resolve_flood(platform: Platform, arguments: Arguments, rng: Random) -> list[ResolvedTarget]:
    count, _ = whole_number("flood", "count", arguments["count"], MOST_JOBS), url_of(platform.region, arguments["endpoint"])
    [pod] = choose_pods(platform, arguments["role"], 1, rng)
    return [pod_target(pod, f"its queue is given {count} jobs at once", DONE)]


def _seen(platform: Platform, arguments: Arguments) -> list[Permission]:
    namespace = platform.target.role(arguments["role"]).namespace
    return in_namespace(namespace, ("get", "pods"), ("list", "pods"), ("get", "services/proxy"))


def url_of(region: Region, endpoint: object) -> str:
    """Return the URL of an endpoint. Raises ConfigError: the region has none of this name."""
    if not isinstance(endpoint, str) or endpoint not in region.endpoints:
        raise ConfigError(f"flood: endpoint is {endpoint!r}; write one of the target's endpoints: {', '.join(region.endpoints)}")
    return region.endpoints[endpoint].rstrip("/")


@_on_queue(resolve=_resolve_flood, permissions=_seen, ends=DONE, evidence=("probes.jobs.crowded",))
def flood(role: str, endpoint: str, count: int, model: str, prompt: str) -> dict[str, object]:
    """Submit ``count`` jobs at once to the queue that ``role`` keeps, as a batch of somebody else's would.

    What fits is accepted and done; the rest is refused by 429. Users submit into the same queue meanwhile.

    Raises:
        TargetRefused: no live run.
        FaultFailed: none of them was accepted or refused by a full queue.

    """
    run, targets, _ = fault_steps.begin()
    fault_steps.write_ahead(run, targets)
    url = url_of(run.platform.region, endpoint)
    request = {"model": model, "prompt": prompt, "max_tokens": MAX_TOKENS, "temperature": 0}
    submit = partial(_submit, url, request, time.monotonic() + FLOOD_S)
    run.fault_starts(targets)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        said = Counter(pool.map(submit, range(count)))
    if not said[ACCEPTED] + said[FULL]:
        raise FaultFailed(
            f"endpoint {endpoint} ({url}): none of {count} jobs was accepted or refused by a full queue; answers: {dict(said)}"
        )
    fault_steps.ended(run, targets)
    return {"targets": [target.name for target in targets], "role": role, "accepted": said[ACCEPTED], "refused": said[FULL]}


def _submit(url: str, request: dict[str, object], until_s: float, _number: int) -> int:
    """Return the status of a submission; 0: no answer, or its time was over."""
    if time.monotonic() > until_s:
        return 0
    try:
        return requests.post(f"{url}/v1/jobs", json=request, timeout=ANSWER_S).status_code
    except requests.RequestException:
        return 0


def _resolve_poison(platform: Platform, arguments: Arguments, rng: Random) -> list[ResolvedTarget]:
    count = whole_number("poison", "count", arguments["count"], MOST_POISON)
    if platform.target.role(arguments["role"]).container is None:
        raise ConfigError(
            f"poison: role {arguments['role']} names no container, in which redis-cli would be run; add it to the target file"
        )
    [pod] = choose_pods(platform, arguments["role"], 1, rng)
    return [pod_target(pod, f"{count} messages that lead to no job are put into its queue", SET_ASIDE)]


def _inside(platform: Platform, arguments: Arguments) -> list[Permission]:
    namespace = platform.target.role(arguments["role"]).namespace
    return [*in_namespace(namespace, ("list", "pods")), *look_inside(namespace)]


@_on_queue(resolve=_resolve_poison, permissions=_inside, ends=SET_ASIDE, evidence=("probes.jobs.poisoned",))
def poison(role: str, count: int) -> dict[str, object]:
    """Put ``count`` messages that nobody can do into the queue of the Redis that ``role`` is, as a broken producer would.

    Each names a job that is not there. The queue must set them aside after a bounded number of deliveries, and do everything else.

    Raises:
        TargetRefused: no live run.
        FaultFailed: redis-cli could not be run, or Redis did not take them.

    """
    run, targets, _ = fault_steps.begin()
    fault_steps.write_ahead(run, targets)
    run.fault_starts(targets)
    for number in range(1, count + 1):
        try:
            command = ["redis-cli", "XADD", QUEUE, "*", "id", poison_id(run.plan.run_id, number)]
            said = output_in(run.platform, targets[0], role, command).strip()
        except NoData as error:
            raise FaultFailed(str(error)) from error
        if "-" not in said or not said.split("-")[0].isdigit():
            raise FaultFailed(f"pod {targets[0].namespace}/{targets[0].name}: Redis did not take a message: {said[:200]!r}")
    fault_steps.ended(run, targets)
    return {"targets": [target.name for target in targets], "role": role, "count": count}
