"""Answers that are known, or not, or may differ: how a target file's rule judges a run, by the real verdict."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import yaml

from bench.field.cases import Seen, case
from history.answers import AnswerRule
from history.reader import Run
from history.result import Check, RunVerdict
from runner.experiment.experiment import read_experiment
from runner.experiment.needs import unanswerable
from target.requests import RequestsClass
from target.target import Target
from testing.histories.edits import at, change_rows, with_plan
from testing.histories.mutations import HIT
from testing.histories.truth import build
from testing.load.program import ROOT
from verdict import judge

PART = "answers"
CLASS = "realtime-inference"
LOCAL = ROOT / "targets" / "local.yaml"
UNKNOWN = {"prompt": "What is Paris?"}
KNOWN = {"prompt": "What is Paris?", "completion": " Paris is the capital"}


def check_of(verdict: RunVerdict, name: str) -> Check | None:
    """Return a check of a verdict, if it was made."""
    return next((check for check in verdict.checks if check.name == name), None)


def target_with(prompts: Path, **users: Any) -> Target:  # noqa: ANN401 - what a file says
    """Return the shipped target file with other prompts and other keys of its class of requests."""
    raw = yaml.safe_load(LOCAL.read_text())
    raw["workloads"][CLASS] |= users
    raw["workloads"][CLASS]["load"]["prompts"] = str(prompts)
    return Target.model_validate(raw)


def rule_of(prompts: Path, **users: Any) -> AnswerRule:  # noqa: ANN401 - what a file says
    """Return how a target's answers are compared."""
    return target_with(prompts, **users).workload(CLASS, RequestsClass).answer_rule()


@case(PART, "no completions known", "not checked, said once; verdict by the rest")
def nothing_known() -> Seen:
    """Take the rule from the prompts, judge a run by it, and fit an experiment about the content of answers to the target."""
    with TemporaryDirectory() as folder:
        prompts, experiment = Path(folder) / "prompts.jsonl", Path(folder) / "experiments" / "serving" / "content.yaml"
        prompts.write_text(json.dumps(UNKNOWN) + "\n")
        experiment.parent.mkdir(parents=True)
        shipped = (ROOT / "experiments" / "serving" / "replica-killed.yaml").read_text()
        experiment.write_text(shipped.replace("    schema: 1\n", "    schema: 1\n    needs: [answers]\n"))
        rule = rule_of(prompts)
        skipped = unanswerable(read_experiment(experiment, experiment.parents[1]), target_with(prompts))
    verdict = judged(change_rows(build(HIT).run, pl.lit(value=True), valid=None), rule)
    lost, unjudged = verdict.measurement("requests_lost"), check_of(verdict, "rpo_requests") is None
    text = f"{verdict.verdict}; requests_lost {lost.sentence if lost else '–'}; about content: {skipped or 'run'}"
    return Seen(text, verdict.verdict == "PASS" and unjudged and lost is not None and lost.value is None and bool(skipped))


def judged(run: Run, rule: AnswerRule) -> RunVerdict:
    """Judge a run whose answers were compared by ``rule``."""
    return judge(with_plan(run, answers=rule))


def differing(given: str, right: str, wanted: str, change: Callable[[Run], Run], share: str = "1%") -> None:
    """Register a run of a class whose answers may differ; ``wanted`` is its verdict by ``rpo_requests``."""

    @case(PART, given, right)
    def run() -> Seen:
        with TemporaryDirectory() as folder:
            prompts = Path(folder) / "prompts.jsonl"
            prompts.write_text(json.dumps(KNOWN) + "\n")
            verdict = judged(change(build(HIT).run), rule_of(prompts, answers={"may_differ": share}))
        check = check_of(verdict, "rpo_requests")
        text = f"{verdict.verdict}; rpo_requests {check.verdict if check else '–'}: {check.sentence if check else ''}"
        return Seen(text, verdict.verdict == wanted and check is not None and check.verdict == wanted)


def wrong(run: Run, start_s: float, every: int = 1, most: int = 10_000) -> Run:
    """Return ``run`` with some of the good answers to requests from ``start_s`` on (s after the fault) differing."""
    good = run.requests.filter(pl.col("valid") & (pl.col("intended_ns") >= at(start_s)))["request_id"].sort()
    return change_rows(run, pl.col("request_id").is_in(good.gather_every(every)[:most].implode()), valid=False)


ALLOWED = "allowed share of the class, no worse after the fault: PASS"
differing("one greedy answer differs in the baseline; may_differ 1%", ALLOWED, "PASS", lambda run: wrong(run, -10, most=1))
differing("one greedy answer differs after the fault; may_differ 1%", ALLOWED, "PASS", lambda run: wrong(run, 5, most=1))
differing("same share before and after; may_differ 2%", ALLOWED, "PASS", lambda run: wrong(run, -15, every=100), "2%")
differing("one of 20 differs after the fault, none before; may_differ 1%", "FAIL", "FAIL", lambda run: wrong(run, 5, every=20))
differing("one differs; may_differ 0.1%: too few answers to say", "INCONCLUSIVE", "INCONCLUSIVE", lambda run: wrong(run, 5, most=1), "0.1%")


@case(PART, "one of 150 differs after the fault, may_differ 1%: too few to tell", "INCONCLUSIVE, with what to change")
def few() -> Seen:
    """Watch for too short a time to tell a share."""
    run = build(replace(HIT, rate_rps=10.0)).run
    check = check_of(judged(wrong(run, 5, most=1), AnswerRule(mode="exact", may_differ=0.01)), "rpo_requests")
    text = check.sentence if check else "–"
    return Seen(text, check is not None and check.verdict == "INCONCLUSIVE" and "raise the rate" in text)
