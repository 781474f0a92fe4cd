"""Weak platforms: the table and the folders agree, and only the named check's FAIL is a catch."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest
import yaml

from bench.common.tables import ROOT
from bench.weak.__main__ import missed, trials
from bench.weak.page import caught, page
from bench.weak.weaknesses import EXPERIMENTS, HARDENED, WEAKNESSES
from workloads.deploy import MANIFESTS, WEAK, variants

BLIND = WEAKNESSES[0]
NOTED = {"measured_at": "2026-01-02T03:04:05+00:00", "commit": "abc1234", "load_average": 1.0, "cores": 2}


def asked(only: str | None = None, runs: int = 1, hardened: int = 0) -> argparse.Namespace:
    return argparse.Namespace(only=only, runs=runs, hardened=hardened)


def row(variant: str, verdict: str, *failed: str, number: int = 1) -> dict[str, Any]:
    trial = f"{variant.replace('/', '-')}/engine-frozen-{number}"
    said = {"verdict": verdict, "failed": {name: f"{name} was missed" for name in failed}, "sentence": "What it came to."}
    return NOTED | {"trial": trial, "variant": variant, "experiment": "serving/engine-frozen"} | said


def test_every_weak_platform_has_a_row_and_every_row_a_platform() -> None:
    assert sorted(one.name for one in WEAKNESSES) == sorted(path.name for path in (MANIFESTS / WEAK).iterdir())
    assert {one.variant for one in WEAKNESSES} <= set(variants())


@pytest.mark.parametrize("one", WEAKNESSES, ids=lambda one: one.name)
def test_a_weak_platform_is_the_hardened_one_with_a_patch_and_says_what_it_is(one: Any) -> None:
    text = (MANIFESTS / one.variant / "kustomization.yaml").read_text()
    found = yaml.safe_load(text)
    assert text.startswith("# ")
    assert found["resources"] == ["../../hardened"]
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
            for container in patch["spec"]["template"]["spec"]["containers"]:
                assert all(f'"${{{variable["name"]}-' in config for variable in container.get("env", []))


@pytest.mark.parametrize(
    ("verdict", "failed", "is_caught"),
    [("FAIL", ("rto",), True), ("FAIL", ("availability",), False), ("INCONCLUSIVE", (), False), ("PASS", (), False)],
)
def test_only_the_named_check_catches(verdict: str, failed: tuple[str, ...], is_caught: bool) -> None:
    assert caught(BLIND, row(BLIND.variant, verdict, *failed)) is is_caught


def test_what_is_not_caught_a_false_alarm_and_a_missing_trial_are_said() -> None:
    rows = [row(BLIND.variant, "INCONCLUSIVE"), row(HARDENED, "FAIL", "rto")]
    said = missed(rows, asked(runs=1))
    assert said[0] == "weak-health-blind/engine-frozen-1: not caught by rto: INCONCLUSIVE: What it came to."
    assert said[1] == "hardened/engine-frozen-1: a false alarm: What it came to."
    assert said[2] == f"{len(WEAKNESSES) - 2} of {len(WEAKNESSES)} trials are missing"
    assert missed([], asked(only="nobody")) == ["0 of 0 trials are missing"]
    assert missed([row(BLIND.variant, "FAIL", "rto")], asked(only=BLIND.name)) == []


def test_trials_of_one_platform_stand_together_and_have_folders_of_their_own() -> None:
    every = list(trials(asked(runs=2, hardened=1)))
    assert len({one.name for one in every}) == len(every) == 2 * len(WEAKNESSES) + len(EXPERIMENTS)
    order = [one.variant for one in every]
    assert len([variant for n, variant in enumerate(order) if n == 0 or order[n - 1] != variant]) == len(WEAKNESSES) + 1


def test_the_page_counts_a_weakness_only_if_every_run_caught_it() -> None:
    found = page([row(BLIND.variant, "FAIL", "rto", "availability"), row(BLIND.variant, "PASS", number=2), row(HARDENED, "PASS")])
    assert "**0 of 1 weaknesses caught in every run; 0 false alarms and 0 inconclusive in 1 hardened runs.**" in found
    assert "| health-blind | serving/engine-frozen | 1 of 2 | rto | PASS: What it came to. | availability |" in found


def test_the_folder_of_weak_platforms_is_named_in_the_readme() -> None:
    assert "manifests/weak" in Path(ROOT / "workloads" / "README.md").read_text()
