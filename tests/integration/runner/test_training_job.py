"""A training job of the platform's own template, as the API server, its kubelets and the ledger's server take it; none is started."""

from __future__ import annotations

from typing import Any, cast

import pytest

from kube.client import Platform
from runner.drivers.training import job as jobs
from runner.drivers.training.image import known_image
from runner.drivers.training.reference import reference_name, reference_settings
from runner.drivers.training.remote_ledger import RemoteLedger
from runner.drivers.training.template import Template, read_template
from target.training import TrainingClass
from workloads.training.telemetry.clock import Clock, measured_offset

CLASS = "batch-training"


@pytest.fixture
def workload(platform: Platform) -> TrainingClass:
    return platform.target.workload(CLASS, TrainingClass)


@pytest.fixture
def template(platform: Platform, workload: TrainingClass) -> Template:
    role = platform.target.role(workload.role)
    return read_template(platform, role.namespace, workload.job, role.container, {})


def test_the_ledgers_server_tells_its_time_through_the_api_server(platform: Platform, workload: TrainingClass) -> None:
    ledger = RemoteLedger(platform, platform.target.role(workload.role).namespace, workload.job.ledger)
    found = measured_offset(ledger.server_ns, Clock())
    assert found is not None
    assert abs(found.offset_ns) <= found.error_ns + 1_000_000  # all nodes have this machine's clock


def test_a_tag_is_resolved_by_a_pod_that_ran_it(platform: Platform, template: Template) -> None:
    image = known_image(platform, template)
    assert image.startswith("sha256:")
    assert reference_name(template, 3, image) != reference_name(template, 3, "")


@pytest.mark.parametrize("one_pod", [True, False])
def test_the_reference_job_is_one_that_the_api_server_takes(platform: Platform, template: Template, one_pod: bool) -> None:
    settings = reference_settings(template, 3, one_pod=one_pod)
    made = jobs.manifest(template, "reference-dry-run", "run", settings, one_pod=one_pod, limit_s=300)
    taken: Any = platform.batch.create_namespaced_job(template.namespace, cast("Any", made), dry_run="All")
    assert taken.spec.active_deadline_seconds == 300
    assert taken.spec.completions == (1 if one_pod else template.pods)
