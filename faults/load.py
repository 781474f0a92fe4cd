"""More load than planned: for a time, users of a class come many times over.

Mechanism: a load generator of the fault's own (:mod:`faults.mechanisms.load_generator`) asks what the class's users ask, where they ask it.
The class's own load goes on beside it, and its users alone are judged. While it lasts they may wait, or be refused. What matters
comes after it: a platform that is still not well when the load is back sustains its own trouble, by a queue that it works through although
those who asked have gone, or by retries. That state outlives its cause, and is called metastable (Bronson et al., HotOS 2021).

Nobody is taken away, so limits on pods and shares say nothing of it. On any cluster but the embedded one the experiment must say
``allow: {overload: true}``: whoever else uses what serves these users suffers with them.
"""

from __future__ import annotations

import math
from random import Random

from faults.mechanisms import load_generator
from faults.mechanisms.load_generator import ENDS
from history.answers import AnswerRule
from history.errors import ConfigError
from history.plan import ResolvedTarget
from history.workloads import Load, Mix, RequestsPlan, Retry, Slo
from kube.client import Platform
from kube.permissions import Permission, in_namespace
from kube.selection import pod_target, ready_pods
from safety import active_run, fault_steps
from safety.fault_spec import Arguments, KillTrial, duration_s, fault, lasts_for_s, whole_number
from safety.undo import undo_all
from safety.undo_journal import UndoKind
from target.requests import RequestsClass
from target.target import Target

MOST_TIMES, MOST_ATTEMPTS, MOST_TOKENS = 50, 10, 100_000
LONGEST_S, MOST_RPS, MOST_IN_FLIGHT = 600.0, 2000.0, 10_000
OTHER_SEED = 1_000_003  # beyond the run's own: other users, who come at other times
ANY = Slo(ratio=1.0, latency_ms=60_000)  # nobody judges the answers of a surge
ROOM = 1.2  # in flight: more than the rate and the time-out make on average


def _resolve(platform: Platform, arguments: Arguments, _rng: Random) -> list[ResolvedTarget]:
    load = _load(platform, arguments, seed=0)
    for_s, attempts = load.horizon_s, load.retry.max_attempts
    tried = f", each tried up to {attempts} times" if attempts > 1 else ""
    effect = f"is given {arguments['times']} times its load besides, for {for_s:g} s: {load.rate_rps:g} requests/s more{tried}"
    targets = [pod_target(pod, effect, ENDS.format(for_s=for_s)) for pod in ready_pods(platform, arguments["role"])]
    return [target.model_copy(update={"missing_at_once": 0, "overloaded": True}) for target in targets]


def _load(platform: Platform, arguments: Arguments, seed: int) -> Load:
    """Return what is offered besides. Raises ConfigError: an argument cannot be meant, or is more than a fault may offer."""
    of_class = _class_of(platform.target, arguments["role"], arguments.get("workload", ""))
    offer = of_class.load
    times, for_s = whole_number("surge", "times", arguments["times"], MOST_TIMES), duration_s("surge", arguments["for_s"])
    attempts = whole_number("surge", "attempts", arguments.get("attempts", 1), MOST_ATTEMPTS)
    rate_rps = times * offer.rate_rps
    if for_s > LONGEST_S or rate_rps > MOST_RPS:
        raise ConfigError(
            f"surge: {rate_rps:g} requests/s for {for_s:g} s; at most {MOST_RPS:g} requests/s for {LONGEST_S:g} s are offered"
        )
    if offer.workers_as == "pods":
        raise ConfigError("surge: this class's load comes from pods, a surge from the suite's own machine; write workers_as: processes")
    cap = min(MOST_IN_FLIGHT, math.ceil(ROOM * rate_rps * offer.timeout_s * attempts))
    more = {"rate_rps": rate_rps, "in_flight_cap": cap, "workers": 1, "mix": _mix(offer.mix, arguments.get("max_tokens", 0))}
    more["retry"] = Retry(policy="naive", max_attempts=attempts) if attempts > 1 else Retry()
    where = {"url": platform.region.endpoints[offer.endpoint], "connections": of_class.connections}
    return Load(horizon_s=for_s, seed=seed, **offer.model_dump() | where | more)


def _mix(usual: tuple[Mix, ...], max_tokens: object) -> tuple[Mix, ...]:
    """Return the kinds of requests of a surge: the class's own, or plain ones of the one length ``max_tokens``."""
    if max_tokens == 0:
        return usual
    length = whole_number("surge", "max_tokens", max_tokens, MOST_TOKENS)
    return (Mix(weight=1, max_tokens=(length, length)),)


def _class_of(target: Target, role: str, name: str) -> RequestsClass:
    """Return the class of requests that ``role`` serves. Raises ConfigError: there is none, or more than one and none is named."""
    found = {key: one for key, one in target.workloads.items() if isinstance(one, RequestsClass) and one.role == role and name in {"", key}}
    if len(found) != 1:
        there = ", ".join(found) or "none"
        raise ConfigError(
            f"surge: which class of requests of role {role}, {name or 'not named'}? It has {there}; name one: workload: CLASS"
        )
    return next(iter(found.values()))


def permissions(platform: Platform, arguments: Arguments) -> list[Permission]:
    """Return what a surge needs of Kubernetes: to see the pods that it will reach."""
    return in_namespace(platform.target.role(arguments["role"]).namespace, ("get", "pods"), ("list", "pods"))


@fault(
    resolve=_resolve,
    permissions=permissions,
    tier="namespace",
    lasts_s=lasts_for_s,
    ends=ENDS,
    undo=(UndoKind.END_LOAD,),
    evidence=("probes.load.offered", "probes.queue.busy"),
    killed=KillTrial(left_out="users' load and its endpoint are needed, which the campaign's small platforms have not"),
)
def surge(role: str, times: int, for_s: float, *, workload: str = "", max_tokens: int = 0, attempts: int = 1) -> dict[str, object]:
    """Offer ``times`` times the load of a class besides its own, for ``for_s`` seconds, to where its requests go.

    Nothing is taken away and nothing is changed: all ready pods of ``role`` are named, since any may be reached. At most 2,000 requests/s
    for 600 s. The class's budgets judge its own users, from the beginning of the surge: an RTO of ``for_s`` and 30 s says that they must be
    served again 30 s after its end.

    Args:
        role: whose class of requests it is.
        times: how many times the class's rate.
        for_s: how long.
        workload: which class of requests of the role; it need not be said of the only one.
        max_tokens: length of each answer; 0: requests as the class's own mix has them.
        attempts: how often one who is not answered asks in all, each time at once, whatever the class's own users do. 2 or more: a
            storm of retries comes on top.

    Raises:
        TargetRefused: no live run.
        FaultFailed: a target is gone since preflight, or the load generator did not get ready.

    """
    run, targets, _ = fault_steps.begin()
    arguments = {"role": role, "times": times, "for_s": for_s, "workload": workload, "max_tokens": max_tokens, "attempts": attempts}
    load = _load(run.platform, arguments, seed=run.plan.seed + OTHER_SEED)
    requests = RequestsPlan(name=run.activity, role=role, slo=ANY, load=load, answers=AnswerRule(mode="unknown"))
    with load_generator.ready(run, requests, for_s) as generator:
        run.fault_starts(targets)
        generator.begin()
    return {"targets": [target.name for target in targets], "role": role, "for_s": for_s, "rate_rps": load.rate_rps}


def restore() -> dict[str, object]:
    """Rollback: end the load generator before its time. Nothing left to undo is success. Raises UndoFailed."""
    return {"undone": undo_all(active_run.require(), {UndoKind.END_LOAD})}
