"""The manifests: settings that exist, one rank a pod, and the choices that recovery depends on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from workloads.training.preflight import check_nodes
from workloads.training.settings import from_environment

FOLDER = Path(__file__).resolve().parents[3] / "workloads" / "manifests" / "training"


def _documents(path: str) -> list[dict[str, Any]]:
    return [d for d in yaml.safe_load_all((FOLDER / path).read_text()) if d]


def _job(variant: str) -> dict[str, Any]:
    """What the suspended CronJob makes, called ``run``."""
    (cronjob,) = [d for d in _documents(f"{variant}/trainer.yaml") if d["kind"] == "CronJob"]
    assert cronjob["spec"]["suspend"] is True
    return {**cronjob["spec"]["jobTemplate"], "metadata": {"name": "run"}}


def _environment(variant: str) -> dict[str, str]:
    """What the container sees, with what only the cluster knows filled in."""
    (container,) = _job(variant)["spec"]["template"]["spec"]["containers"]
    (kustomization,) = _documents(f"{variant}/kustomization.yaml")
    given = dict(literal.split("=", 1) for literal in kustomization["configMapGenerator"][0]["literals"])
    for entry in container["env"]:
        value = "run" if entry["name"] == "JOB_NAME" else entry.get("value", "filled-in")
        for name in ("JOB_NAME", "TRAIN_RUN_ID"):
            value = value.replace(f"$({name})", given.get(name, ""))
        given[entry["name"]] = value
    return given


@pytest.mark.parametrize("variant", ["ranks", "volume"])
def test_the_settings_are_those_of_the_hardened_variant(variant: str) -> None:
    settings = from_environment(_environment(variant))
    assert settings.weaknesses == ()
    check_nodes(settings.nodes)
    assert settings.owner
    assert settings.metrics_port == 9400
    assert settings.run_id == "run"


def test_checkpoints_stand_in_two_zones() -> None:
    settings = from_environment(_environment("ranks"))
    assert [url.split("endpoint=")[1] for url in settings.stores] == ["http://s3-zone-b:7070", "http://s3-zone-c:7070"]
    services = {f"s3{_documents(f'zone-{zone}/kustomization.yaml')[0]['nameSuffix']}" for zone in "bc"}
    assert services == {"s3-zone-b", "s3-zone-c"}


def test_one_rank_a_pod_each_with_a_name() -> None:
    job, settings = _job("ranks"), from_environment(_environment("ranks"))
    service = next(d for d in _documents("ranks/trainer.yaml") if d["kind"] == "Service")
    spec, pod = job["spec"], job["spec"]["template"]
    assert spec["completionMode"] == "Indexed"
    assert spec["completions"] == spec["parallelism"] == int(settings.nodes)
    assert settings.ranks_per_pod == 1
    assert (service["spec"]["clusterIP"], service["spec"]["publishNotReadyAddresses"]) == ("None", True)
    assert pod["spec"]["subdomain"] == service["metadata"]["name"]
    assert settings.rendezvous == f"{job['metadata']['name']}-0.{service['metadata']['name']}:29400"
    assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()


def test_a_lost_node_does_not_hold_its_rank() -> None:
    spec = _job("ranks")["spec"]
    assert "podFailurePolicy" not in spec
    assert spec["podReplacementPolicy"] == "TerminatingOrFailed"
    assert spec["template"]["spec"]["restartPolicy"] == "OnFailure"
    seconds = {t["key"]: t.get("tolerationSeconds") for t in spec["template"]["spec"]["tolerations"]}
    assert seconds["node.kubernetes.io/unreachable"] == seconds["node.kubernetes.io/not-ready"] == 20
    assert spec["template"]["spec"]["terminationGracePeriodSeconds"] > from_environment(_environment("ranks")).save_timeout_s


def test_every_disk_is_for_one_claim() -> None:
    claims = [d["spec"]["claimRef"]["name"] for d in _documents("disks/disks.yaml") if d["kind"] == "PersistentVolume"]
    templates = ["data-s3-zone-b-0", "data-s3-zone-c-0"]
    own = [
        d["metadata"]["name"]
        for p in ("platform/ledger.yaml", "platform/tracking.yaml", "volume/trainer.yaml")
        for d in _documents(p)
        if d["kind"] == "PersistentVolumeClaim"
    ]
    assert sorted(claims) == sorted(own + templates)


def test_the_job_set_has_the_cron_jobs_pods_but_for_who_restarts_them_and_what_they_are_called() -> None:
    (job_set,) = _documents("../jobset/trainer.yaml")
    (ranks,) = job_set["spec"]["replicatedJobs"]
    mine, its = ranks["template"]["spec"], _job("ranks")["spec"]
    assert job_set["spec"]["suspend"] is True
    assert [mine[key] for key in ("completions", "parallelism", "completionMode")] == [3, 3, "Indexed"]
    assert (mine["backoffLimit"], mine["template"]["spec"].pop("restartPolicy")) == (0, "Never")
    del its["template"]["spec"]["restartPolicy"], its["template"]["spec"]["subdomain"]
    (container,), (other,) = mine["template"]["spec"].pop("containers"), its["template"]["spec"].pop("containers")
    ours, theirs = ({one["name"]: one for one in container.pop("env")}, {one["name"]: one for one in other.pop("env")})
    different = {name for name in ours if ours[name] != theirs[name]}
    assert ours.keys() == theirs.keys()
    assert different == {"TRAIN_OWNER", "JOB_NAME", "TRAIN_RENDEZVOUS"}
    assert (container, mine["template"]) == (other, its["template"])
    assert ours["TRAIN_RENDEZVOUS"]["value"] == f"$(JOB_NAME)-{ranks['name']}-0-0.$(JOB_NAME):29400"
