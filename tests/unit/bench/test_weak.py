"""Weak platforms: the table and the folders agree, and only the named check's FAIL is a catch."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from bench.common.tables import ROOT
from bench.weak import __main__ as campaigns
from bench.weak.__main__ import ending, missed, trials
from bench.weak.page import caught, page
from bench.weak.served import await_served
from bench.weak.trial import NONE, NoVerdict, Trial, outcome
from bench.weak.weaknesses import ASYNC, HARDENED, RISK, TARGETS, WEAKNESSES, base_of, experiments_of
from runner.risks.find import NAMES
from verdict.advice.advise import CAUSES
from workloads.deploy import MANIFESTS, WEAK, variants

BLIND = WEAKNESSES[0]
EXPERIMENTS = [name for base in TARGETS for name in experiments_of(base)]
NOTED = {"measured_at": "2026-01-02T03:04:05+00:00", "commit": "abc1234", "load_average": 1.0, "cores": 2}


def asked(only: str | None = None, runs: int = 1, hardened: int = 0) -> argparse.Namespace:
    return argparse.Namespace(only=only, runs=runs, hardened=hardened)


def row(variant: str, verdict: str, *failed: str, number: int = 1) -> dict[str, Any]:
    trial = f"{variant.replace('/', '-')}/engine-frozen-{number}"
    said = {"verdict": verdict, "failed": {name: f"{name} was missed" for name in failed}, "sentence": "What it came to."}
    said |= {"causes": [], "risks": []}
    return NOTED | {"trial": trial, "variant": variant, "experiment": "serving/engine-frozen"} | said


def test_every_weak_platform_has_a_row_and_every_row_a_platform() -> None:
    assert sorted(one.name for one in WEAKNESSES) == sorted(path.name for path in (MANIFESTS / WEAK).iterdir())
    assert {one.variant for one in WEAKNESSES} <= set(variants())


@pytest.mark.parametrize("one", WEAKNESSES, ids=lambda one: one.name)
def test_a_weak_platform_is_the_hardened_one_with_a_patch_and_says_what_it_is(one: Any) -> None:
    text = (MANIFESTS / one.variant / "kustomization.yaml").read_text()
    found = yaml.safe_load(text)
    assert text.startswith("# ")
    assert found["resources"] == [f"../../{one.base}"]
    assert len(found["patches"]) == 1
    assert yaml.safe_load(found["patches"][0]["patch"])


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_its_experiment_is_shipped(name: str) -> None:
    assert (ROOT / "experiments" / f"{name}.yaml").is_file()


def test_what_a_weak_gateway_sets_is_a_setting_of_its_configuration() -> None:
    config = (MANIFESTS / "base" / "haproxy.cfg").read_text()
    for one in WEAKNESSES:
        patch = yaml.safe_load(yaml.safe_load((MANIFESTS / one.variant / "kustomization.yaml").read_text())["patches"][0]["patch"])
        if isinstance(patch, dict) and patch["metadata"]["name"] == "gateway":
            for container in patch["spec"].get("template", {}).get("spec", {}).get("containers", []):
                assert all(f'"${{{variable["name"]}-' in config for variable in container.get("env", []))


@pytest.mark.parametrize(
    ("verdict", "failed", "is_caught"),
    [("FAIL", ("rto",), True), ("FAIL", ("availability",), False), ("INCONCLUSIVE", (), False), ("PASS", (), False)],
)
def test_only_the_named_check_catches(verdict: str, failed: tuple[str, ...], is_caught: bool) -> None:
    assert caught(BLIND, row(BLIND.variant, verdict, *failed)) is is_caught


def test_what_is_not_caught_a_false_alarm_and_a_missing_trial_are_said() -> None:
    rows = [row(BLIND.variant, "INCONCLUSIVE"), row(HARDENED, "FAIL", "rto")]
    said = missed(rows, asked(runs=1, hardened=0))
    assert said[0] == "weak-health-blind/engine-frozen-1: not caught by rto: INCONCLUSIVE: What it came to."
    assert said[1] == "hardened/engine-frozen-1: a false alarm: What it came to."
    assert said[2] == f"{len(WEAKNESSES) - 2} of {len(WEAKNESSES)} trials are missing"
    assert missed([], asked(only="nobody")) == ["0 of 0 trials are missing"]
    assert missed([row(BLIND.variant, "FAIL", "rto")], asked(only=BLIND.name)) == []


def test_trials_of_one_platform_stand_together_and_have_folders_of_their_own() -> None:
    every = list(trials(asked(runs=2, hardened=1)))
    assert len({one.name for one in every}) == len(every) == 2 * len(WEAKNESSES) + len(EXPERIMENTS)
    order = [one.variant for one in every]
    assert len([variant for n, variant in enumerate(order) if n == 0 or order[n - 1] != variant]) == len(WEAKNESSES) + len(TARGETS)


def test_the_page_counts_a_weakness_only_if_every_run_caught_it() -> None:
    found = page([row(BLIND.variant, "FAIL", "rto", "availability"), row(BLIND.variant, "PASS", number=2), row(HARDENED, "PASS")])
    assert "**0 of 1 weaknesses caught in every run, and of 0 of 1 that failed the cause was named; " in found
    assert "; 0 false alarms and 0 inconclusive in 1 hardened runs.**" in found
    assert "| health-blind | serving/engine-frozen | 1 of 2 | rto | PASS: What it came to. | availability | blind-health: 0 of 2 |" in found


def test_a_risk_is_caught_by_what_the_report_names_and_nothing_need_fail() -> None:
    one = next(one for one in WEAKNESSES if one.check == RISK)
    refused = row(one.variant, "REFUSED") | {"risks": ["another", f"{one.says[0]}: not tested"]}
    assert caught(one, refused)
    assert not caught(one, row(one.variant, "FAIL", RISK))
    assert f"| {one.check} | {one.says[0]}: not tested |" in page([refused])


@pytest.mark.parametrize("one", WEAKNESSES, ids=lambda one: one.name)
def test_what_must_name_a_weakness_can_be_said(one: Any) -> None:
    assert (one.check == RISK) is bool(one.says)
    assert one.cause in {"", *(cause.__name__.replace("_", "-") for cause in CAUSES)}
    named = [says.partition(" of ")[0] for says in one.says if " of Deployment " in says]
    assert set(named) <= set(NAMES)


def test_after_a_weak_queue_the_strong_one_is_put_before_the_hardened_platform() -> None:
    weak = next(one.variant for one in WEAKNESSES if one.base == ASYNC)
    assert (ending(weak), ending(ASYNC), ending(BLIND.variant), ending(HARDENED)) == ([ASYNC, HARDENED], [HARDENED], [HARDENED], [])
    assert base_of(weak) == ASYNC


def report(out: Path, **held: object) -> Path:
    (out / "latest").mkdir(parents=True)
    (out / "latest" / "report.json").write_text(json.dumps({"risks": [], "weaknesses": None} | held))
    return out


def test_a_refusal_that_shows_a_risk_is_an_outcome_and_any_other_is_none(tmp_path: Path) -> None:
    trial = Trial("weak/one-replica", "serving/replica-killed", 1)
    single = "role inference is a single point of failure: not tested"
    shown = report(
        tmp_path / "shown", risks=[{"sentence": single, "experiments": []}], weaknesses=[{"name": "pinned", "where": "Deployment x"}]
    )
    assert outcome(trial, shown)["risks"] == [single, "pinned of Deployment x"]
    assert outcome(trial, shown)["verdict"] == "REFUSED"
    with pytest.raises(NoVerdict, match="0 verdicts"):
        outcome(trial, report(tmp_path / "empty"))
    with pytest.raises(NoVerdict, match="0 verdicts"):
        outcome(trial, tmp_path)


def test_a_trial_without_a_verdict_does_not_end_the_campaign_and_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = [Trial(HARDENED, "serving/engine-frozen", 1), Trial("weak/no-drain", "serving/node-drained", 1)]
    chosen += [Trial(BLIND.variant, "serving/engine-frozen", number) for number in (1, 2)]
    broken, tried = {chosen[0].name}, list[str]()

    def run(trial: Trial, _out: Path) -> dict[str, Any]:
        tried.append(trial.name)
        if trial.name in broken:
            raise NoVerdict("the session died")
        return row(trial.variant, "FAIL", "rto", number=trial.number) | {"trial": trial.name}

    def put(variant: str) -> None:
        if variant == "weak/no-drain" and broken:
            raise NoVerdict("it did not roll out")

    for name, double in {"chosen": lambda _: chosen, "digest_of": lambda _: "d", "run_trial": run, "put": put}.items():
        monkeypatch.setattr(campaigns, name, double)
    options = argparse.Namespace(for_s=60.0, table=tmp_path / "trials.jsonl", anew=False)
    first = campaigns.campaign(options)
    assert [one["verdict"] for one in first] == [NONE, NONE, "FAIL", "FAIL"]
    assert [one["sentence"] for one in first[:2]] == ["the session died", "it did not roll out"]
    said = missed(first, options)
    assert "hardened/engine-frozen-1: the session died" in said
    assert "1 without a verdict, in 1 hardened runs" in page(first)
    broken.clear()
    tried.clear()
    assert [one["verdict"] for one in campaigns.campaign(options)] == ["FAIL"] * 4
    assert tried == [one.name for one in chosen[:2]]


def test_where_what_a_run_brought_about_stays_the_next_one_gets_the_platform_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    staying = next(one for one in WEAKNESSES if one.stays)
    chosen = [Trial(one.variant, one.experiment, number) for one in (staying, BLIND) for number in (1, 2)]
    puts = list[str]()
    doubles = {"chosen": lambda _: chosen, "digest_of": lambda _: "d", "put": puts.append}
    doubles["run_trial"] = lambda trial, _out: row(trial.variant, "FAIL", "rto", number=trial.number) | {"trial": trial.name}
    for name, double in doubles.items():
        monkeypatch.setattr(campaigns, name, double)
    campaigns.campaign(argparse.Namespace(for_s=60.0, table=tmp_path / "trials.jsonl", anew=False))
    assert puts == [staying.variant, HARDENED, staying.variant, BLIND.variant, HARDENED]


def test_a_platform_that_nobody_serves_is_said(tmp_path: Path) -> None:
    target = tmp_path / "target.yaml"
    target.write_text("regions: {default: {endpoints: {inference: 'http://127.0.0.1:9'}}}")
    assert await_served(target, steady_s=1, within_s=0).endswith("within 0 s (last: ConnectionError)")


def test_the_folder_of_weak_platforms_is_named_in_the_readme() -> None:
    assert "manifests/weak" in Path(ROOT / "workloads" / "README.md").read_text()
