"""JUnit as CI systems read it: a testcase a check and trial, all names distinct, and nothing that their schemas do not allow."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest

from history.plan import Expect
from history.result import Check, Verdict
from reports import Report, build, write
from reports.__main__ import main
from reports.page.junit import Inconclusive, junit
from testing.pages.junit_rules import ANT, JENKINS, gitlab_mistakes, mistakes
from tests.unit.reports.conftest import Night

LATE = Check(
    name="rto", verdict=Verdict.FAIL, sentence="Not served again.", measured=93.6, budget=10, unit="s", censored=True, workload="chat"
)
UNSURE = Check(name="evidence", verdict=Verdict.INCONCLUSIVE, sentence="Nobody saw it.")
HELD = Check(name="availability", verdict=Verdict.PASS, sentence="Well.")


def cases(report: Report, inconclusive: Inconclusive = "error") -> list[ET.Element]:
    return list(ET.fromstring(junit(report, inconclusive)).iter("testcase"))  # noqa: S314 - our own file


def outcome(case: ET.Element) -> str:
    return "".join(child.tag for child in case)


def judged(night: Night, *checks: Check, verdict: str, counts_as: str, expect: str = "PASS", censored: bool = False) -> Report:
    """Return a report of one trial with these checks."""
    first = night.report.experiments[0]
    told = {"verdict": Verdict(verdict), "counts_as": Verdict(counts_as), "checks": checks, "rto_censored": censored}
    trial = first.trials[0].model_copy(update=told)
    one = first.model_copy(update={"trials": (trial,), "expect": Expect(verdict=expect)})  # type: ignore[arg-type]
    return night.report.model_copy(update={"experiments": (one,), "not_tested": ()})


def twin(report: Report) -> Iterator[Report]:
    """Yield reports in which names would meet: an experiment twice, a check twice, folders and names that are spelled alike."""
    one = report.experiments[0]
    yield report.model_copy(update={"experiments": (one, one)})
    trial = one.trials[0].model_copy(update={"checks": one.trials[0].checks * 2})
    yield report.model_copy(update={"experiments": (one.model_copy(update={"trials": (trial,)}),)})
    alike = [one.model_copy(update={"id": name}) for name in ("a/b.c", "a.b/c", "x" * 400 + "1", "x" * 400 + "2")]
    yield report.model_copy(update={"experiments": tuple(alike), "not_tested": report.not_tested * 2})


def test_every_check_of_every_trial_has_a_testcase(night: Night) -> None:
    found = [(case.attrib["classname"], case.attrib["name"]) for case in cases(night.report)]
    trials = [trial for experiment in night.report.experiments for trial in experiment.trials]
    assert len(found) == sum(len(trial.checks) for trial in trials) + len(night.report.not_tested)
    assert ("serving.engine-killed", "Trial 3: RTO") in found
    assert ("storage.disk-full", "skipped") in found


def test_times_of_testcases_add_up_to_those_of_the_trials(night: Night) -> None:
    took = sum(trial.duration_s for experiment in night.report.experiments for trial in experiment.trials)
    assert sum(float(case.attrib["time"]) for case in cases(night.report)) == pytest.approx(took, abs=1)


@pytest.mark.parametrize("inconclusive", ["error", "skipped"])
def test_what_is_written_keeps_to_both_schemas_and_to_gitlabs_rules(night: Night, inconclusive: Inconclusive) -> None:
    for report in (night.report, *twin(night.report)):
        text = junit(report, inconclusive)
        assert mistakes(text, JENKINS) == []
        assert mistakes(text, ANT) == []
        assert gitlab_mistakes(text) == []


def test_counts_of_the_suite_are_those_of_its_testcases(night: Night) -> None:
    suite = ET.fromstring(night.read("junit.xml")).find("testsuite")  # noqa: S314 - our own file
    assert suite is not None
    for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        assert int(suite.attrib[attribute]) == len(suite.findall(f"testcase/{tag}")) > 0
    assert int(suite.attrib["tests"]) == len(suite.findall("testcase"))


def test_what_failed_what_nobody_knows_and_what_held_are_told_apart(night: Night) -> None:
    found: dict[str, set[str]] = {}
    for case in cases(night.report):
        found.setdefault(case.attrib["classname"], set()).add(outcome(case))
    assert "failure" in found["nodes.zone-lost"]
    assert found["nodes.powered-off"] == {""}
    assert found["controls.sham"] == {"", "error"}
    assert (found["training.rank-killed"], found["storage.disk-full"]) == ({"error"}, {"skipped"})


def test_target_and_commit_are_properties_of_the_suite(night: Night) -> None:
    run = night.report.run.model_copy(update={"commit": "4f2a"})
    suites = ET.fromstring(junit(night.report.model_copy(update={"run": run})))  # noqa: S314 - our own file
    told = {one.attrib["name"]: one.attrib["value"] for one in suites.iter("property")}
    assert (told["target"], told["commit"], told["verdict"]) == (", ".join(run.target), "4f2a", "FAIL")
    assert "commit" not in junit(night.report.model_copy(update={"run": run.model_copy(update={"commit": None})}))


def test_a_failed_check_fails_alone_and_says_why_and_how_to_repeat_it(night: Night) -> None:
    report = judged(night, HELD, LATE, verdict="FAIL", counts_as="FAIL", censored=True)
    held, late = cases(report)
    failure = late.find("failure")
    assert outcome(held) == ""
    assert failure is not None
    assert late.attrib["name"] == "Trial 1: RTO (chat)"
    assert failure.attrib == {"type": "FAIL", "message": "Not served again. (a lower bound: more than 93.6 s)"}
    assert f"repeat: {report.experiments[0].trials[0].command}" in str(failure.text)
    output = ET.fromstring(junit(report)).find("testsuite/system-out")  # noqa: S314 - our own file
    assert output is not None
    assert "a lower bound" in str(output.text)


@pytest.mark.parametrize("inconclusive", ["error", "skipped"])
def test_inconclusive_is_no_failure_and_never_passes(night: Night, inconclusive: Inconclusive) -> None:
    report = judged(night, HELD, UNSURE, verdict="INCONCLUSIVE", counts_as="INCONCLUSIVE")
    held, unsure = cases(report, inconclusive)
    assert (outcome(held), outcome(unsure)) == ("", inconclusive)
    assert unsure[0].attrib["message"] == "inconclusive: Nobody saw it."
    assert unsure[0].attrib.get("type") == {"error": "INCONCLUSIVE"}.get(inconclusive)


def test_a_seeded_weakness_that_is_caught_fails_nothing(night: Night) -> None:
    report = judged(night, HELD, LATE, verdict="FAIL", counts_as="PASS", expect="FAIL")
    assert [outcome(case) for case in cases(report)] == ["", ""]
    assert "FAIL (counts as PASS)" in junit(report)


@pytest.mark.parametrize("checks", [(HELD,), ()])
def test_a_weakness_that_is_not_caught_fails_although_no_check_does(night: Night, checks: tuple[Check, ...]) -> None:
    *_, verdict = cases(judged(night, *checks, verdict="PASS", counts_as="FAIL", expect="FAIL"))
    assert (verdict.attrib["name"], outcome(verdict)) == ("Trial 1: verdict", "failure")
    assert "expected, of a seeded weakness: FAIL by any check" in str(verdict[0].text)


def test_a_trial_without_checks_has_a_testcase_all_the_same(night: Night) -> None:
    (verdict,) = cases(judged(night, verdict="INCONCLUSIVE", counts_as="INCONCLUSIVE"))
    assert outcome(verdict) == "error"


@pytest.mark.parametrize("inconclusive", ["error", "skipped"])
def test_an_incomplete_night_is_an_error_although_all_that_ran_held(night: Night, inconclusive: Inconclusive) -> None:
    held = judged(night, HELD, verdict="PASS", counts_as="PASS")
    assert [outcome(case) for case in cases(held, inconclusive)] == [""]
    said = "This night is incomplete: it was stopped, and 2 of 3 runs were not begun."
    text = junit(held.model_copy(update={"incomplete": said}), inconclusive)
    *_, case = ET.fromstring(text).iter("testcase")  # noqa: S314 - our own file
    assert (case.attrib["classname"], case.attrib["name"], outcome(case)) == ("aftershock", "night", "error")
    assert case[0].attrib["message"] == said
    assert 'errors="1"' in text
    assert mistakes(text, JENKINS) == mistakes(text, ANT) == gitlab_mistakes(text) == []


def test_a_report_of_no_run_keeps_to_jenkins_schema(tmp_path: Path) -> None:
    text = (write(build([]), tmp_path).parent / "junit.xml").read_text()
    assert mistakes(text, JENKINS) == []
    assert mistakes(text, ANT) == ["testsuite has no timestamp"]  # nothing ran, so there is none


def test_the_command_takes_as_what_inconclusive_counts(run_dirs: list[Path], tmp_path: Path) -> None:
    runs = [str(run) for run in run_dirs]
    for asked in ("error", "skipped"):
        main([*runs, "--out", str(tmp_path / asked), "--junit-inconclusive", asked])
        suite = ET.fromstring((tmp_path / asked / "junit.xml").read_text()).find("testsuite")  # noqa: S314 - our own file
        assert suite is not None
        assert {outcome(case) for case in suite.findall("testcase") if outcome(case) not in {"", "failure"}} == {asked}


@pytest.mark.parametrize(
    ("was", "put", "wrong"),
    [
        ('name="Trial 1', 'file="x" name="Trial 1', (JENKINS, ANT)),
        ("<testcase ", "<testcase><properties /></testcase><testcase ", (JENKINS, ANT)),
        ("<system-err />", "", (ANT,)),
        (' hostname="', ' host="', (JENKINS, ANT)),
        ('<property name="target" value=', '<property name="target" content=', (JENKINS, ANT)),
        ("<properties>", "words<properties>", (JENKINS, ANT)),
        ("<skipped ", '<skipped type="x" ', (ANT,)),
        ("<testsuites>", '<testsuites tests="168">', (ANT,)),
    ],
)
def test_the_rules_find_what_is_not_allowed(night: Night, was: str, put: str, wrong: tuple[object, ...]) -> None:
    text = night.read("junit.xml")
    assert was in text
    for rules in (JENKINS, ANT):
        assert bool(mistakes(text.replace(was, put, 1), rules)) == (rules in wrong)
