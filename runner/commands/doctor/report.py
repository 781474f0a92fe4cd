"""All findings of one look at a target and the chosen experiments, put together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from history.errors import AftershockError
from kube import permissions
from kube.client import Platform, api_errors
from runner.commands.doctor.chosen import Chosen
from runner.commands.doctor.gathered import about_experiments, gathered, masking, of_refusals, risks
from runner.commands.doctor.of_experiments import Examination, Outcome
from runner.commands.doctor.of_target import ask_target
from runner.commands.doctor.rights import names, of_rights
from runner.findings import About, Finding, Findings, Kind
from runner.request import Request
from runner.stop import Stop


@dataclass(frozen=True, slots=True)
class Report:
    """What was found: ``findings`` in no order, ``outcomes`` of the experiments that fit the target, the names of those that can run."""

    chosen: Chosen
    findings: list[Finding]
    outcomes: list[Outcome]
    can_run: list[str]


def examined(platform: Platform, chosen: Chosen, request: Request, grant: str) -> Report:
    """Ask everything. ``grant``: the command that grants rights. Files that are wrong are findings, too; nothing is raised."""
    common = Findings()
    before = ask_target(platform, common)
    blind = any(refusal.about is About.PROMETHEUS for refusal in common.refusals)
    examination = Examination(platform, before, request, Stop(), blind=blind)
    needed = examination.rights(chosen.fit)
    missing = common.ask(About.RIGHTS, lambda: permissions.missing(platform, [right for of in needed.values() for right in of])) or []
    lacking = {name for name, rights in needed.items() if not set(rights).isdisjoint(missing)}
    outcomes = [examination.examine(one) for one in chosen.fit]
    above = tuple(dict.fromkeys(one.about for one in of_refusals(common.refusals, rights_missing=bool(missing))))
    mask = masking(_objects(platform, outcomes))
    of_each = list(about_experiments(outcomes, lacking, above, mask))
    shared = examination.shared.findings
    found = [*common.notes, *shared.notes, *of_refusals([*common.refusals, *shared.refusals], rights_missing=bool(missing))]
    found += of_rights(needed, missing, f"the account of context {platform.region.context}", grant)
    found += [*_remarks(outcomes, mask), *_left_out(chosen), *(finding for _, finding in of_each)]
    can_run = [name for who, finding in of_each if finding.kind is Kind.WORKS for name in who]
    return Report(chosen, _with_risks(found, outcomes), outcomes, can_run)


def _objects(platform: Platform, outcomes: Iterable[Outcome]) -> set[str]:
    """Return the names of the pods and nodes that sentences about targets may hold."""
    pods: set[str] = set()
    with suppress(AftershockError), api_errors("list the pods of the roles", AftershockError):  # whoever looks at them says what is wrong
        pods = {pod.metadata.name for found in platform.pods_of_roles().values() for pod in found}
    aimed = [target for one in outcomes if one.aimed is not None for target in one.aimed.all]
    return pods | {name for target in aimed for name in (target.name, target.node) if name}


def _remarks(outcomes: Iterable[Outcome], mask: Callable[[str], str]) -> Iterator[Finding]:
    """Yield what is worth knowing of single experiments, with whose it is."""
    of_each = [(outcome.name, note) for outcome in outcomes for note in outcome.own.notes]
    yield from (note._replace(text=f"{note.text} ({names(who)})") for who, note in gathered(of_each, mask))


def _left_out(chosen: Chosen) -> Iterator[Finding]:
    """Yield which experiments are skipped or wrong, and what is left out of what the others believe."""
    skipped = [(name, Finding(About.EXPERIMENTS, Kind.LEFT_OUT, why)) for name, why in chosen.skipped.items()]
    wrong = [(name, Finding(About.EXPERIMENTS, Kind.REFUSED, why)) for name, why in chosen.wrong.items()]
    yield from (one._replace(text=f"{names(who)}: {one.text}") for who, one in gathered([*skipped, *wrong], str))
    unbelieved = dict.fromkeys(what for experiment in chosen.fit for what in experiment.left_out)
    yield from (Finding(About.LOAD, Kind.LEFT_OUT, f"left out of the hypothesis: {what}") for what in unbelieved)


def _with_risks(found: list[Finding], outcomes: Iterable[Outcome]) -> list[Finding]:
    """Return the findings with the weaknesses that refusals show, in the place of what was said of the same role before."""
    shown = dict.fromkeys(risk for outcome in outcomes for risk in risks(outcome))
    said = tuple(f"{risk.partition(' is a single')[0]} has one replica" for risk in shown)
    kept = [one for one in found if not said or not one.text.startswith(said)]
    return [*kept, *(Finding(About.ROLES, Kind.TO_DECIDE, risk) for risk in shown)]
