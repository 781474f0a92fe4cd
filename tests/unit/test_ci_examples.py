"""The examples of CIs are tried by linters: schemas of GitHub and GitLab, models of Argo's API; each is `make nightly` and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from check_jsonschema.builtin_schemas import get_builtin_schema
from hera.workflows import models
from jsonschema.validators import validator_for

from testing.platform.fake_cluster import ROOT

GITLAB, ARGO = ROOT / "docs/nightly/gitlab-ci.yml", ROOT / "docs/nightly/argo-cron-workflow.yaml"
GITHUB = ROOT / ".github/workflows/nightly.yml"
CRON_JOB = ROOT / "targets/in-cluster/cronjob.yaml"


def read(file: Path) -> Any:
    return yaml.safe_load(file.read_text())


def schema_mistakes(name: str, found: object) -> list[str]:
    """Return what a schema that check-jsonschema ships says of a file."""
    schema = get_builtin_schema(name)
    return [error.message for error in validator_for(schema)(schema).iter_errors(found)]


def test_gitlab_takes_its_file() -> None:
    found = read(GITLAB)
    assert schema_mistakes("vendor.gitlab-ci", found) == []
    assert schema_mistakes("vendor.gitlab-ci", found | {"nightly": found["nightly"] | {"retry": "often"}}), "the schema is strict"


def test_github_takes_its_workflow() -> None:
    found = read(GITHUB)
    found["on"] = found.pop(True)  # YAML 1.1 reads that key as a truth value
    assert schema_mistakes("vendor.github-workflows", found) == []
    assert schema_mistakes("vendor.github-workflows", found | {"jobs": {"chaos": {"steps": []}}}), "the schema is strict"


def as_argo_reads_it(found: object) -> Any:
    """Return a workflow as the models of Argo's API write it again: a key that they do not know is gone."""
    return models.CronWorkflow.model_validate(found).model_dump(by_alias=True, exclude_none=True, mode="json")


def test_argo_takes_its_workflow_and_knows_every_key() -> None:
    found = read(ARGO)
    assert as_argo_reads_it(found) == found
    misspelt = found | {"spec": found["spec"] | {"concurencyPolicy": "Forbid"}}
    assert as_argo_reads_it(misspelt) != misspelt
    with pytest.raises(ValueError, match="schedules"):
        as_argo_reads_it(found | {"spec": found["spec"] | {"schedules": 5}})


def test_each_is_make_nightly_and_nothing_else_on_request_or_schedule() -> None:
    gitlab, argo = read(GITLAB)["nightly"], read(ARGO)["spec"]
    assert gitlab["script"] == ["make nightly"]
    assert [rule["if"] for rule in gitlab["rules"]] == ['$CI_PIPELINE_SOURCE == "schedule"', '$CI_PIPELINE_SOURCE == "web"']
    assert (gitlab["interruptible"], gitlab["retry"]) == (False, 0)
    [template] = argo["workflowSpec"]["templates"]
    assert template["container"]["command"] == ["make", "nightly"]
    assert argo["concurrencyPolicy"] == "Forbid"


def test_argo_and_the_cron_job_are_the_same_night() -> None:
    [theirs] = read(ARGO)["spec"]["workflowSpec"]["templates"]
    [ours] = read(CRON_JOB)["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    same = ("image", "workingDir", "command", "resources", "securityContext", "volumeMounts")
    assert {name: theirs["container"][name] for name in same} == {name: ours[name] for name in same}
    assert [one for one in theirs["container"]["env"] if one["name"] != "CHAOS_MAX_MINUTES"] == ours["env"]
