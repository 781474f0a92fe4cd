"""The rules that a target file names, found in Prometheus: what a plan says of each, or why it can't be judged."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import cache

from history.alert_plan import AlertPlan
from history.errors import NoData
from probes.prometheus.alertmanager import Waits, waits_of
from probes.prometheus.client import declared_of
from probes.prometheus.look_back import look_back_s, recorded_look_back_s
from probes.prometheus.rules import ALERTING, Rule, Scraped, Scrapes, rules_of, scraped_by, scrapes_of
from probes.prometheus.values import query
from target.alerts import AlertRule, Alerts, classes_of
from target.prometheus import matchers_of
from target.region import Region
from target.target import Target

LEAST_S, MOST_S, OFTEN = 1.0, 5.0, 5  # a rule is asked for five times between two evaluations, each second at most
SHOWN = 8


class NotAsDeclared(NoData):
    """Prometheus has not the rules that the target file names. ``parts``: a sentence for each."""

    def __init__(self, parts: Sequence[str]) -> None:
        super().__init__("; ".join(parts))
        self.parts = tuple(parts)


def alert_plans(target: Target, region_name: str) -> tuple[AlertPlan, ...]:
    """Return what a plan says of the rules that the region ``region_name`` declares; nothing if it declares none.

    Raises:
        NotAsDeclared: a rule is not there, is there more than once, records, could not be evaluated, or can't keep its ``within``.
        NoData, Unanswered: Prometheus does not say what it has, or when a rule fired last, or Alertmanager how long it waits.

    """
    region = target.regions[region_name]
    alerts = region.alerts
    if alerts is None:
        return ()
    known, found, wrong = rules_of(region), list[tuple[AlertRule, Rule]](), list[str]()
    _, where = declared_of(region)
    for declared in alerts.rules:
        fitting = [one for one in known if one.name == declared.rule and declared.group in {None, one.group}]
        if said := _complaint(declared, fitting, known):
            wrong.append(f"{where}: {said}")
        else:
            found.append((declared, fitting[0]))
    recorded, scraped = recorded_look_back_s(known), cache(lambda: scraped_by(region))  # asked once, and only if a rule needs it
    plans = [
        _plan(target, declared, rule, _scrapes(scraped, alerts, target, declared), look_back_s(rule.query, recorded))
        for declared, rule in found
    ]
    waits = None if alerts.receiver is None else waits_of(alerts.receiver)
    plans = [plan.model_copy(update={"region": region_name} | (_awaited(region, plan, waits) if waits else {})) for plan in plans]
    wrong += [f"{where}: {said}" for plan in plans for said in _never(plan)]
    if wrong:
        raise NotAsDeclared(wrong)
    return tuple(plans)


def _complaint(declared: AlertRule, fitting: Sequence[Rule], known: Sequence[Rule]) -> str:
    """Return why a declared rule can't be judged; empty: it can."""
    name = f"rule {declared.rule}" + (f" of group {declared.group}" if declared.group else "")
    if not fitting:
        there = sorted({one.name for one in known if one.kind == ALERTING})
        shown = f"{', '.join(there[:SHOWN])}{' …' if len(there) > SHOWN else ''}" or "none"
        return f"{name} is not there; its alerting rules are {shown}; load it, or correct alerts in the target file"
    if len(fitting) > 1:
        groups = sorted(one.group for one in fitting)
        if len(set(groups)) == 1:
            return f"{name} is {len(fitting)} times in group {groups[0]}; give the rules names of their own"
        return f"{name} is in groups {', '.join(groups)}; write group in alerts"
    (rule,) = fitting
    if rule.kind != ALERTING:
        return f"{name} records and never fires; name an alerting rule"
    if rule.failed:
        return f"{name} could not be evaluated ({rule.error or 'it does not say why'}), so it can't fire; correct its expression"
    return ""


def _never(plan: AlertPlan) -> Iterator[str]:
    least_s = plan.timers_s - plan.range_s - plan.scrape_timeout_s  # only a target that hangs costs the time-out
    if plan.within_s is not None and plan.within_s < least_s:
        told = " and Alertmanager's" if plan.group_wait_s else ""
        yield (
            f"rule {plan.rule} can't tell within {plan.within_s:g} s: its own timers{told} take up to {least_s:g} s; write a longer "
            "within, or make them shorter"
        )


def _plan(target: Target, declared: AlertRule, rule: Rule, scrapes: Scrapes, range_s: float) -> AlertPlan:
    return AlertPlan(
        rule=rule.name,
        group=rule.group,
        roles=declared.roles,
        workload=classes_of(target, declared)[0],
        query=rule.query,
        scrape_s=scrapes.interval_s,
        scrape_timeout_s=scrapes.timeout_s,
        evaluation_s=rule.evaluation_s,
        for_s=rule.for_s,
        range_s=range_s,
        within_s=declared.within,
        asked_every_s=min(MOST_S, max(LEAST_S, rule.evaluation_s / OFTEN)),
    )


def _awaited(region: Region, plan: AlertPlan, waits: Waits) -> dict[str, object]:
    """Return what a plan says of how Alertmanager tells of its rule. Raises NoData."""
    found: dict[str, object] = {"group_wait_s": waits.group_wait_s, "group_interval_s": waits.group_interval_s}
    if waits.group_interval_s:  # that it ended, Alertmanager hears only at the next evaluation
        found["fired_ns"] = _fired_ns(region, plan.rule, waits.group_interval_s + plan.evaluation_s)
    return found


def _fired_ns(region: Region, rule: str, within_s: float) -> int | None:
    """Return when Prometheus had a rule firing last within the time before now (ns, its clock); None: it did not. Raises NoData."""
    labels = {"alertname": rule, "alertstate": "firing"} | (region.prometheus.labels if region.prometheus else {})
    last = query(region, f"max(max_over_time(timestamp(ALERTS{{{matchers_of(labels)}}})[{math.ceil(within_s)}s:1s]))")
    return None if last is None else round(last * 1e9)


def _scrapes(scraped: Callable[[], Scraped], alerts: Alerts, target: Target, declared: AlertRule) -> Scrapes:
    if alerts.scrape is not None:
        return Scrapes(alerts.scrape, alerts.scrape)  # a scrape may not hang for longer than until the next
    found = [scrapes_of(scraped(), target.roles[role].series_labels) for role in declared.roles]
    return Scrapes(max(one.interval_s for one in found), max(one.timeout_s for one in found))
