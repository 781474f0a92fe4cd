"""``junit.xml``: a testcase for each check of each trial, as GitLab, Jenkins and GitHub's actions for test results read it.

It keeps to what Jenkins' xUnit plugin and Apache Ant allow (junit-10.xsd, JUnit.xsd): neither knows properties or output of one testcase,
so target and commit are properties of the suite, and its output has a line a trial. GitLab drops a testcase whose names another one has.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, get_args
from xml.etree import ElementTree as ET

from history.result import Check, Verdict
from reports import names
from reports.known import KnownFail
from reports.model import Experiment, NotTested, Report, Trial
from reports.page.first import named
from reports.page.views import rto_text
from reports.text import clean, one_line, quantity

LONGEST = 1000
Inconclusive = Literal["error", "skipped"]
INCONCLUSIVE: tuple[Inconclusive, ...] = get_args(Inconclusive)
"""As what a testcase that is INCONCLUSIVE counts."""
OTHER = {"refused": "error", "unreadable": "error", "skipped": "skipped"}


@dataclass(frozen=True, slots=True)
class Case:
    """One testcase; ``tag`` says how it came out (empty: it passed)."""

    classname: str
    name: str
    time_s: float = 0.0
    tag: str = ""
    kind: str = ""
    message: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class _Run:
    experiment: Experiment
    trial: Trial
    known: KnownFail | None  # the waiver that covers it
    inconclusive: Inconclusive

    @property
    def name(self) -> str:
        """The trial's name, with its platform where trials on another are in the same report."""
        apart = f" on platform {self.experiment.platform or 'not recorded'}" if self.experiment.apart else ""
        return named(self.experiment, self.trial) + apart


def junit(report: Report, inconclusive: Inconclusive = "error") -> str:
    """Return ``report`` as JUnit XML; what is INCONCLUSIVE counts as ``inconclusive`` says, never as passed."""
    waived = {one.run_id: one for one in report.known_fails if one.waived}
    runs = [_Run(one, trial, waived.get(trial.run_id), inconclusive) for one in report.experiments for trial in one.trials]
    of_runs = (case for run in runs for case in _of_run(run))
    cases = list(_distinct([*of_runs, *map(_missing, report.not_tested), *_incomplete(report)]))
    suite = ET.Element("testsuite", _counted(cases) | _told(report))
    properties = ET.SubElement(suite, "properties")
    for name, value in _properties(report).items():
        ET.SubElement(properties, "property", {"name": name, "value": one_line(value, LONGEST)})
    suite.extend(map(_element, cases))
    ET.SubElement(suite, "system-out").text = clean("\n".join(map(_line, runs)))
    ET.SubElement(suite, "system-err")
    suites = ET.Element("testsuites")
    suites.append(suite)
    ET.indent(suites)
    return ET.tostring(suites, encoding="unicode", xml_declaration=True)


def _counted(cases: list[Case]) -> dict[str, str]:
    tags = Counter(case.tag for case in cases)
    return {"tests": str(len(cases)), "failures": str(tags["failure"]), "errors": str(tags["error"]), "skipped": str(tags["skipped"])}


def _told(report: Report) -> dict[str, str]:
    """Return the suite's other attributes. Ant wants a host always, and a time without its zone; of no run there is none."""
    run = report.run
    host = one_line(", ".join(run.context)) or "localhost"
    told = {"name": "aftershock", "package": "aftershock", "id": "0", "hostname": host, "time": f"{run.duration_s or 0:.1f}"}
    return told | ({"timestamp": run.started[: len("2026-01-01T00:00:00")]} if run.started else {})


def _properties(report: Report) -> dict[str, str]:
    run = report.run
    told = {
        "target": ", ".join(run.target), "context": ", ".join(run.context), "commit": run.commit or "", "profile": ", ".join(run.profile),
        "seed": ", ".join(map(str, run.seed)), "run": run.id, "verdict": report.verdict.value, "sentence": report.sentence,
    }  # fmt: skip
    return {name: value for name, value in told.items() if value}


def _of_run(run: _Run) -> Iterator[Case]:
    """Yield a testcase a check, and one of the verdict where no check says why it counts as it does. The first has the trial's time."""
    trial = run.trial
    cases = [_of_check(run, check) for check in trial.checks]
    if not cases or (trial.counts_as is not Verdict.PASS and not any(case.tag for case in cases)):
        cases.append(_case(run, "verdict", trial.counts_as, trial.sentence))
    yield from (replace(case, time_s=trial.duration_s if at == 0 else 0.0) for at, case in enumerate(cases))


def _of_check(run: _Run, check: Check) -> Case:
    whose = f" ({check.workload})" if check.workload else ""
    verdict = Verdict.PASS if run.trial.counts_as is Verdict.PASS else check.verdict  # a seeded weakness that was caught is no failure
    bound = f" (a lower bound: more than {quantity(check.measured, names.unit(check.name, check.unit))})" if check.censored else ""
    return _case(run, names.label(check.name) + whose, verdict, check.sentence + bound)


def _case(run: _Run, what: str, verdict: Verdict, sentence: str) -> Case:
    case = Case(_classname(run.experiment.id), one_line(f"{run.name}: {what}"))
    if verdict is Verdict.PASS:
        return case
    if run.known is not None:
        return replace(case, tag="skipped", message=f"waived: {'; '.join(run.known.says)}")
    unsure = verdict is Verdict.INCONCLUSIVE
    message = f"inconclusive: {sentence}" if unsure else sentence
    text = "\n".join([message, "", *_about(run.experiment, run.trial, sentence)])
    return replace(case, tag=run.inconclusive if unsure else "failure", kind=verdict.value, message=message, text=text)


def _classname(identity: str) -> str:
    """Return the id of an experiment with its folder as a package."""
    return one_line(identity).replace("/", ".")


def _about(experiment: Experiment, trial: Trial, said: str) -> Iterator[str]:
    yield experiment.title if trial.sentence == said else f"{experiment.title}: {trial.sentence}"
    if experiment.expect.verdict != "PASS":
        yield f"expected, of a seeded weakness: {experiment.expect.verdict} by {experiment.expect.check or 'any check'}"
    yield from (f"likely cause: {one.sentence}" for one in trial.advice or ())
    yield f"RTO: {rto_text(trial)}"
    yield f"run: {trial.run_id}"
    yield f"repeat: {trial.command}"


def _line(run: _Run) -> str:
    trial = run.trial
    bound = ", a lower bound" if trial.rto_censored else ""
    expected = "" if trial.counts_as is trial.verdict else f" (counts as {trial.counts_as})"
    told = f"{run.experiment.id}: {run.name}: {trial.verdict}{expected}; RTO {rto_text(trial)}{bound}; seed {trial.seed}"
    return one_line(f"{told}; run {trial.run_id}", LONGEST)


def _missing(item: NotTested) -> Case:
    text = f"{item.kind}: {item.reason}"
    return Case(_classname(item.id), item.kind, tag=OTHER[item.kind], kind=item.kind, message=text, text=text)


def _incomplete(report: Report) -> Iterator[Case]:
    """Yield an error, which no option makes a skip, if not everything was run: of what was not begun nothing else may speak."""
    if said := report.incomplete:
        yield Case("aftershock", "night", tag="error", kind=Verdict.INCONCLUSIVE.value, message=said, text=said)


def _distinct(cases: list[Case]) -> Iterator[Case]:
    """Yield the cases with a number behind each name that an earlier one has."""
    taken: set[tuple[str, str]] = set()
    for case in cases:
        name, number = case.name, 1
        while (case.classname, name) in taken:
            number += 1
            name = f"{case.name} ({number})"
        taken.add((case.classname, name))
        yield replace(case, name=name)


def _element(case: Case) -> ET.Element:
    element = ET.Element("testcase", {"classname": case.classname, "name": case.name, "time": f"{case.time_s:.1f}"})
    if case.tag:
        kind = {} if case.tag == "skipped" else {"type": case.kind}  # Ant knows no type of what is skipped
        told = ET.SubElement(element, case.tag, kind | {"message": one_line(case.message, LONGEST)})
        told.text = clean(case.text)
    return element
