"""``junit.xml``: one testcase a trial, so that every CI shows every verdict; INCONCLUSIVE fails with its own type and wording."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from history.result import Verdict
from reports.model import Experiment, NotTested, Report, Trial
from reports.text import clean, one_line

OTHER = {"refused": "error", "unreadable": "error", "skipped": "skipped"}


def junit(report: Report) -> str:
    """Return ``report`` as JUnit XML."""
    suite = ET.Element("testsuite", {"name": "aftershock", "hostname": clean(", ".join(report.run.context))})
    if report.run.started:
        suite.set("timestamp", report.run.started)
    for experiment in report.experiments:
        for trial in experiment.trials:
            suite.append(_testcase(experiment, trial))
    for item in report.not_tested:
        suite.append(_missing(item))
    for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(name, str(len(suite.findall(f"testcase/{tag}"))))
    suite.set("tests", str(len(suite)))
    suite.set("time", f"{report.run.duration_s or 0:.1f}")
    suites = ET.Element("testsuites")
    suites.append(suite)
    ET.indent(suites)
    return ET.tostring(suites, encoding="unicode", xml_declaration=True)


def _testcase(experiment: Experiment, trial: Trial) -> ET.Element:
    testcase = ET.Element(
        "testcase",
        {"classname": clean(experiment.id).replace("/", "."), "name": _name(experiment, trial), "time": f"{trial.duration_s:.1f}"},
    )
    properties = ET.SubElement(testcase, "properties")
    for name, value in _properties(experiment, trial).items():
        ET.SubElement(properties, "property", {"name": name, "value": clean(value)})
    if trial.counts_as is Verdict.PASS:
        return testcase
    inconclusive = trial.counts_as is Verdict.INCONCLUSIVE
    message = f"inconclusive: {trial.sentence}" if inconclusive else trial.sentence
    failure = ET.SubElement(testcase, "failure", {"type": trial.counts_as.value, "message": one_line(message, 1000)})
    failure.text = clean(
        "\n".join([message, "", *(f"{c.verdict} {c.name}: {c.sentence}" for c in trial.checks), "", f"repeat: {trial.command}"])
    )
    return testcase


def _name(experiment: Experiment, trial: Trial) -> str:
    """Return the trial's name, with its platform where trials on another are in the same report."""
    return clean(f"trial {trial.trial}" + (f" on platform {experiment.platform or 'not recorded'}" if experiment.apart else ""))


def _properties(experiment: Experiment, trial: Trial) -> dict[str, str]:
    values = {"verdict": trial.verdict.value, "run_id": trial.run_id, "seed": str(trial.seed), "title": experiment.title}
    ends = {"rto_low_s": trial.rto_low_s, "rto_high_s": trial.rto_high_s}
    numbers = {"rto_s": trial.rto_s, "rto_budget_s": trial.budgets.rto_s, "rto_resolution_s": trial.rto_resolution_s, **ends}
    return values | {name: f"{value:g}" for name, value in numbers.items() if value is not None}


def _missing(item: NotTested) -> ET.Element:
    testcase = ET.Element("testcase", {"classname": clean(item.id).replace("/", "."), "name": item.kind, "time": "0"})
    text = f"{item.kind}: {item.reason}"
    ET.SubElement(testcase, OTHER[item.kind], {"type": item.kind, "message": one_line(text, 1000)}).text = clean(text)
    return testcase
