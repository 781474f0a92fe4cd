"""Claims: what nights prove, and what voids it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from bench.nights.worlds import World
from nights.claims import Changed, ChangedObject, Claim, Claims, made, why_void, why_void_live
from nights.record import Night
from nights.suite_code import name_of, suite_code

PARTS = {"target file": "1", "images of inference": "2", "template of inference": "3", "images of storage": "4"}
WHERE = {"inference": "ml-serving", "storage": "ml-training"}
VERSIONS = {"commit": "c", "kubernetes server": "v1.36.3", "node image": "Debian 12"}
VALID, TODAY = timedelta(days=30), date(1970, 1, 20)


def nights() -> list[Night]:
    """Ten nights of two experiments from 1970-01-02 on, on a platform whose parts and places are known."""
    made_up = list(World(7, experiments=2, trials=2).nights(10))
    return [replace(night, runs=tuple(_placed(run) for run in night.runs)) for night in made_up]


def _placed(run: Any, **fields: Any) -> Any:
    conditions = replace(run.conditions, platform=PARTS)
    return replace(run, **{"conditions": conditions, "namespaces": WHERE, "touched": ("ml-serving",), "versions": VERSIONS} | fields)


def last_with(**fields: Any) -> list[Night]:
    """Return the nights, in the last of which the first experiment came out otherwise."""
    before, last = nights()[:-1], nights()[-1]
    return [*before, replace(last, runs=tuple(replace(run, **fields) if run.experiment.endswith("00") else run for run in last.runs))]


@pytest.fixture
def claim() -> Claim:
    return made(nights(), VALID).claims[0]


def test_the_last_conclusive_night_is_claimed_with_what_it_rests_on(claim: Claim) -> None:
    last = [run for run in nights()[-1].runs if run.experiment == claim.experiment]
    assert (claim.trials, claim.night, claim.proven) == (2, last[0].night, date(1970, 1, 11))
    assert claim.expires == date(1970, 2, 10)
    assert claim.rto_s == max(value.value for run in last for value in run.values if value.name == "rto")
    assert claim.platform == {key: value for key, value in PARTS.items() if "storage" not in key}
    assert claim.versions == {"kubernetes server": "v1.36.3", "node image": "Debian 12"}
    assert Claims.model_validate_json(made(nights(), VALID).model_dump_json()) == made(nights(), VALID)


def test_a_later_fail_takes_the_claim_and_an_inconclusive_night_does_not() -> None:
    assert [one.experiment for one in made(last_with(verdict="FAIL", counts_as="FAIL"), VALID).claims] == ["serving/experiment-01"]
    unsure = made(last_with(verdict="INCONCLUSIVE", counts_as="INCONCLUSIVE"), VALID).claims
    assert [one.night for one in unsure] == [nights()[-2].night, nights()[-1].night]
    assert len(made(last_with(verdict="FAIL", counts_as="PASS"), VALID).claims) == 1  # a seeded weakness proves nothing of the platform
    assert len(made(last_with(complete=False), VALID).claims) == 2
    assert len(made(last_with(complete=False, verdict="FAIL", counts_as="FAIL"), VALID).claims) == 1


def test_a_night_whose_platform_was_not_recorded_proves_nothing() -> None:
    older = [
        replace(night, runs=tuple(replace(r, conditions=replace(r.conditions, platform={})) for r in night.runs)) for night in nights()
    ]
    assert made(older, VALID).claims == ()


def changed_object(namespace: str) -> Changed:
    return Changed(objects=(ChangedObject("HTTPRoute", namespace, "llm", "gateway.yaml"),))


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        (Changed(), []),
        (changed_object("ml-serving"), ["HTTPRoute ml-serving/llm is another (gateway.yaml)"]),
        (changed_object("ml-training"), []),
        (changed_object(""), ["HTTPRoute llm is another and names no namespace (gateway.yaml)"]),
        (Changed(experiments=("serving/experiment-00",)), ["the experiment is another"]),
        (Changed(experiments=("serving/experiment-01",)), []),
        (Changed(targets=("staging",)), ["the target file is another"]),
        (Changed(targets=("prod",)), []),
        (Changed(unknown=(("Dockerfile", "who knows"),)), ["Dockerfile: who knows"]),
    ],
)
def test_what_a_change_voids(claim: Claim, changed: Changed, says: list[str]) -> None:
    assert why_void(claim, changed, TODAY, {}) == says


def test_a_claim_that_does_not_know_its_namespaces_rests_on_all(claim: Claim) -> None:
    older = claim.model_copy(update={"namespaces": ()})
    assert why_void(older, changed_object("ml-training"), TODAY, {})


def test_a_claim_expires_after_its_last_day(claim: Claim) -> None:
    assert why_void(claim, Changed(), claim.expires, {}) == []
    assert why_void(claim, Changed(), claim.expires + timedelta(days=1), {}) == ["expired on 1970-02-10"]


def test_a_live_platform_voids_by_digest_and_by_what_it_runs_on(claim: Claim) -> None:
    assert why_void_live(claim, PARTS, VERSIONS, TODAY) == []
    other = why_void_live(
        claim, PARTS | {"images of inference": "9", "images of storage": "9"}, VERSIONS | {"node image": "Debian 13"}, TODAY
    )
    assert other == ["images of inference: another digest, or it is gone", "node image is Debian 13, was Debian 12"]


def test_what_other_code_of_the_suite_has_proven_is_to_be_proven_again() -> None:
    code = suite_code()
    (claim, *_) = made(last_with(versions=VERSIONS | code), VALID).claims
    assert why_void(claim, Changed(), TODAY, code) == []
    assert why_void(claim, Changed(), TODAY, code | {name_of("verdict"): "1"}) == ["the suite itself changed: verdict/"]
    assert why_void(claim.model_copy(update={"versions": VERSIONS}), Changed(), TODAY, code) == []  # an older claim does not say
    assert why_void_live(claim, PARTS, VERSIONS | code | {name_of("faults"): "1"}, TODAY)[0].startswith("suite's faults/ is 1, was ")
