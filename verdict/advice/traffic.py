"""Causes in who was sent requests: replicas that were leaving, loading or hung, and nobody kept users away from them."""

from __future__ import annotations

from history.layout import Advice
from verdict.advice.observed import GATEWAY, Observed
from verdict.words import count, seconds

LEAST_S = 5.0  # an outage that is shorter is what routing usually takes
SHORT_S = 10.0  # a grace in which a preStop hook and an answer fit
MOSTLY = 0.8
HALF = 0.5
CONTAINER = "spec.template.spec.containers[]"


def no_readiness_probe(seen: Observed) -> Advice | None:
    """Find requests that were sent to a replica while it still loaded."""
    if seen.role.readiness is not None or not seen.unserved or not seen.of("requests_bad"):
        return None
    text = f"{seen.role.where} has no readiness probe, so a new replica is sent requests as soon as its container runs"
    bad = f"{count(int(seen.of('requests_bad')), 'request was', 'requests were')} bad"
    return Advice(
        cause="no-readiness-probe", where=seen.role.where, field=f"{CONTAINER}.readinessProbe",
        sentence=f"{text} ({bad}): a probe that fails until it has loaded keeps them away for {_loads(seen)}.",
        explains_s=min(seen.took_s, seen.of("phase_warm") or seen.role.load_s),
    )  # fmt: skip


def _loads(seen: Observed) -> str:
    loads_s = seen.of("phase_warm") or seen.role.load_s
    return f"the {seconds(loads_s)} that it takes" if loads_s else "as long as that takes"


def no_pre_stop(seen: Observed) -> Advice | None:
    """Find requests that were refused or cut by a replica that was told to leave: its endpoint was removed too late."""
    hurt = sum(seen.of(name) for name in ("bad_refused", "bad_cut", "bad_error"))
    if not seen.graceful or seen.role.pre_stop or not seen.unserved or not hurt:
        return None
    text = f"{count(int(hurt), 'request was', 'requests were')} refused, failed or cut, and {seen.role.where} has no preStop hook"
    return Advice(
        cause="no-pre-stop", where=seen.role.where, field=f"{CONTAINER}.lifecycle.preStop",
        sentence=f"{text}: a sleep of 5 s there, within terminationGracePeriodSeconds, lets its endpoint go before it does.",
        explains_s=max(seen.of("bad_seconds"), seen.of("rto")), sure="seen",
    )  # fmt: skip


def short_grace(seen: Observed) -> Advice | None:
    """Find answers that were cut since a replica was killed before it had finished them."""
    hurt = int(seen.of("bad_cut") + seen.of("bad_error"))
    if not seen.graceful or not seen.role.pre_stop or seen.role.grace_s >= SHORT_S or not seen.unserved or not hurt:
        return None
    text = f"A replica of {seen.role.where} is killed {seconds(seen.role.grace_s)} after it was told to leave, its preStop hook included"
    return Advice(
        cause="short-grace", where=seen.role.where, field="spec.template.spec.terminationGracePeriodSeconds",
        sentence=f"{text}, and {count(hurt, 'answer was', 'answers were')} cut or failed: let the grace outlast the hook and the longest "
        "answer.", explains_s=max(seen.of("bad_seconds"), seen.of("rto")), sure="seen",
    )  # fmt: skip


def no_disruption_budget(seen: Observed) -> Advice | None:
    """Find a drain that took several replicas at once."""
    if not (seen.graceful and seen.on_nodes) or seen.role.disruption is None or seen.role.disruption or seen.hit <= 1 or not seen.failed:
        return None
    text = f"The drain evicted {seen.hit} of {seen.role.ready} replicas of {seen.role.where} at once, and no disruption budget selects them"
    return Advice(
        cause="no-disruption-budget", where=seen.role.where, field="PodDisruptionBudget spec.maxUnavailable",
        sentence=f"{text}: with maxUnavailable 1 the next one goes when the first one's replacement is ready.", explains_s=seen.took_s,
        sure="seen",
    )  # fmt: skip


def blind_health(seen: Observed) -> Advice | None:
    """Find a replica that called itself healthy while it served nobody."""
    green_s = _green_s(seen)
    if not _is_blind(seen) or not seen.unserved or seen.role.readiness is None:
        return None
    probe = seen.role.readiness
    out_s = probe.period_s * probe.failures
    text = f"Health of {seen.role.where} ({probe.asks}) stayed green for {seconds(green_s)} while what was hit served nobody"
    return Advice(
        cause="blind-health", where=seen.role.where, field=f"{CONTAINER}.readinessProbe",
        sentence=f"{text}: let it fail when the engine makes no progress, and it is out of rotation after {seconds(out_s)}.",
        explains_s=max(0.0, green_s - out_s), sure="seen",
    )  # fmt: skip


def ready_before_loaded(seen: Observed) -> Advice | None:
    """Find new replicas that called themselves healthy before they could serve, while the old ones were taken away."""
    green_s, probe = seen.of("wrong_green"), seen.role.readiness
    replaced = seen.graceful and seen.lost_all and seen.role.role != GATEWAY
    if not replaced or not seen.unserved or probe is None or green_s < max(LEAST_S, HALF * seen.of("rto")):
        return None
    text = f"For {seconds(green_s)} every new replica of {seen.role.where} called itself healthy ({probe.asks}) while users were not served"
    return Advice(
        cause="ready-before-loaded", where=seen.role.where, field=f"{CONTAINER}.readinessProbe",
        sentence=f"{text}: let it fail until the model is loaded, and a rollout takes the next replica only then.", explains_s=green_s,
        sure="seen",
    )  # fmt: skip


def names_forgotten(seen: Observed) -> Advice | None:
    """Find who gave up the addresses that it knew, since DNS did not answer."""
    if not seen.by_dns or not seen.unserved:
        return None
    text = f"While DNS did not answer {seen.role.where}, users were not served for {seconds(seen.took_s)}, although all replicas were there"
    return Advice(
        cause="names-forgotten", where=seen.role.where, field="how long it keeps what DNS said (HAProxy: resolvers, hold)",
        sentence=f"{text}: let it keep the addresses that it knows for as long as DNS is silent, ten minutes for example.",
        explains_s=seen.took_s, sure="seen",
    )  # fmt: skip


def queue_without_bound(seen: Observed) -> Advice | None:
    """Find users who waited behind what an overload had left, when the load had long been back."""
    over_s, bad = seen.of("outlived"), seen.of("requests_bad")
    if not seen.surged or not seen.unserved or over_s < LEAST_S or seen.of("bad_late") < HALF * bad:
        return None
    where = seen.gateway.where if seen.gateway else seen.role.where
    text = f"For {seconds(over_s)} after the load was back users still waited behind what had piled up before {seen.role.where}"
    return Advice(
        cause="queue-without-bound", where=where, field="how long a request may wait for a replica (HAProxy: timeout queue)",
        sentence=f"{text}: what waits for longer than its user does is worked off for nobody; let a request wait for a second or two, and "
        "refuse the rest at once.", explains_s=over_s, sure="likely",
    )  # fmt: skip


def gateway_without_health_checks(seen: Observed) -> Advice | None:
    """Find users who were sent to what was hit although others served and something had noticed; a wrong answer no health check sees."""
    others = seen.role.ready - seen.hit
    rto_s = seen.of("rto")
    if not seen.unserved or seen.graceful or others <= 0 or rto_s < LEAST_S or _is_blind(seen):
        return None
    if seen.of("bad_wrong") > HALF * seen.of("requests_bad"):
        return None
    noticed_s = seen.values.get("time_to_detection")
    when = "which nothing on the platform noticed" if noticed_s is None else f"which the platform noticed after {seconds(noticed_s)}"
    where = seen.gateway.where if seen.gateway else f"what routes to {seen.role.where}"
    text = f"For {seconds(rto_s)} users were sent to what was hit, {when}, while {others} of {seen.role.ready} replicas served"
    return Advice(
        cause="gateway-without-health-checks", where=where, field="health checks of its upstreams",
        sentence=f"{text}: let {where} ask each replica every second and leave out who fails twice.", explains_s=rto_s,
    )  # fmt: skip


def no_request_timeout(seen: Observed) -> Advice | None:
    """Find requests that hung at a replica until their user's limit had passed, although others served."""
    bad, hung = seen.of("requests_bad"), seen.of("bad_late") + seen.of("bad_stalled")
    if not seen.unserved or seen.graceful or seen.role.ready <= seen.hit or not bad or hung < MOSTLY * bad:
        return None
    where = seen.gateway.where if seen.gateway else f"what routes to {seen.role.where}"
    text = f"{int(hung):,} of {count(int(bad), 'bad request')} waited for an answer until their limit had passed, while others served"
    return Advice(
        cause="no-request-timeout", where=where, field="time-out of a request, and one retry on another replica",
        sentence=f"{text}: with a time-out to the first byte below that limit, and one retry, they are answered elsewhere.",
        explains_s=seen.of("bad_seconds"),
    )  # fmt: skip


def _green_s(seen: Observed) -> float:
    return max(seen.of("target_green"), seen.of("wrong_green"))


def _is_blind(seen: Observed) -> bool:
    """Tell whether what was hit said for most of the outage that it was well."""
    return seen.hung and not seen.on_nodes and _green_s(seen) >= max(LEAST_S, HALF * seen.of("rto"))
