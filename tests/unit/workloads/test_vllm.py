"""vLLM as the second engine: its manifests and target beside the first one's, the switch, and what stands before its server."""

from __future__ import annotations

import asyncio
import math
import subprocess
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.machines.image_files import PROJECT, VLLM
from runner.experiment.experiment import read_experiment
from target.requests import RequestsClass
from target.target import load_target
from target.workload import WorkloadClass
from testing.platform.fake_cluster import ROOT
from verdict.statistics import bad_in_a_row, mean_for
from workloads.vllm import replica

FOLDER = ROOT / "workloads/manifests/vllm"
SET = ("control/null-control", "control/sham-control", "serving/replica-killed", "serving/engine-killed", "serving/engine-frozen",
       "serving/node-drained", "serving/gpu-node-lost")  # fmt: skip


def patch() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((FOLDER / "inference.yaml").read_text())
    return found


def server() -> dict[str, Any]:
    [container] = patch()["spec"]["template"]["spec"]["containers"]
    assert isinstance(container, dict)
    return container


def test_the_variant_is_the_hardened_platform_with_one_deployment_changed_and_more_patience() -> None:
    kustomization = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
    assert kustomization["resources"] == ["../hardened"]
    assert kustomization["patches"] == [{"path": "inference.yaml"}, {"path": "patience.yaml"}]
    gateway = yaml.safe_load((FOLDER / "patience.yaml").read_text())
    assert (gateway["metadata"]["name"], list(gateway["spec"])) == ("gateway", ["progressDeadlineSeconds"])
    base = next(yaml.safe_load_all((ROOT / "workloads/manifests/base/inference.yaml").read_text()))
    assert patch()["metadata"] == {"name": base["metadata"]["name"], "namespace": base["metadata"]["namespace"]}
    assert server()["name"] == base["spec"]["template"]["spec"]["containers"][0]["name"]


def test_the_server_runs_in_its_own_environment_on_the_model_that_deploy_makes() -> None:
    command = server()["command"]
    assert server()["image"] == VLLM.name
    assert command[0] == f"{PROJECT}/{VLLM.environment}/bin/python"
    folder = Path(next(one for one in command if one.startswith("--model=")).removeprefix("--model=")).relative_to(PROJECT)
    made = make("deploy", "STACKS=vllm")
    assert f"{folder}/record.json" in (ROOT / "Makefile").read_text()
    assert "--variant vllm" in made
    module, name = next(one for one in command if one.startswith("--middleware=")).removeprefix("--middleware=").rsplit(".", 1)
    assert (module, getattr(replica, name)) == (replica.__name__, replica.Replica)


def test_time_to_leave_covers_what_the_hook_and_the_server_take() -> None:
    spec = patch()["spec"]["template"]["spec"]
    hook = server()["lifecycle"]["preStop"]["exec"]["command"][-1]
    assert str(replica.LEAVING) in hook
    drains_s = int(next(one for one in server()["command"] if one.startswith("--shutdown-timeout=")).partition("=")[2])
    assert int(hook.rpartition("sleep ")[2]) + drains_s < spec["terminationGracePeriodSeconds"]


def test_the_target_finds_the_engine_and_loosens_only_capacity_and_an_rto_that_its_rate_cannot_show() -> None:
    target, shipped = load_target(ROOT / "targets/vllm.yaml"), load_target(ROOT / "targets/local.yaml")
    workload = target.workloads["realtime-inference"]
    assert target.roles["inference"].engine == "VLLM::EngineCore"
    assert workload.budgets == shipped.workloads["realtime-inference"].budgets
    assert {name for budgets in workload.budgets_in.values() for name in budgets.values()} == {"capacity_rto_s", "rto_s"}
    for name, budgets in workload.budgets_in.items():
        own = read_experiment(ROOT / f"experiments/{name}.yaml", ROOT / "experiments").settings.budgets
        assert own.capacity_rto_s
        if budgets.rto_s is not None:
            assert own.rto_s is not None
            assert not surely_met(workload, own.rto_s)
            assert surely_met(workload, budgets.rto_s)


def surely_met(workload: WorkloadClass, rto_s: float) -> bool:
    """Tell whether one of three replicas gets as many requests within ``rto_s`` as show an outage there, by all but bad luck."""
    assert isinstance(workload, RequestsClass)
    expected = workload.load.rate_rps * rto_s / 3
    return expected - 2 * math.sqrt(expected) >= mean_for(bad_in_a_row(workload.slo.ratio))


def test_the_switch_chooses_manifests_target_and_experiments() -> None:
    with_vllm, without = make("chaos", "STACKS=vllm"), make("chaos")
    assert "--chaos-target targets/vllm.yaml -k" in with_vllm
    assert "--chaos-target targets/local.yaml" in without
    assert "vllm" not in without
    chosen = with_vllm.partition(' -k "')[2].partition('"')[0].split(" or ")
    every = [
        f"{path.parent.name}/{path.stem}" for path in (ROOT / "experiments").glob("*/*.yaml") if path.parent.name in {"control", "serving"}
    ]
    assert sorted(name for name in every if any(word in name for word in chosen)) == sorted(SET)


def make(*arguments: str) -> str:
    command = ["make", "--dry-run", "--no-print-directory", "--always-make", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


Message = MutableMapping[str, Any]


def asked(path: str) -> tuple[int, dict[bytes, bytes], str]:
    """Return the status and headers of an answer through the middleware, and the path by which its server was asked."""
    sent: list[Message] = []
    seen: list[str] = []

    async def app(scope: Message, _receive: replica.Receive, send: replica.Send) -> None:
        seen.append(scope["path"])
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
        await send({"type": "http.response.body", "body": b""})

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "path": path, "raw_path": path.encode()}
    asyncio.run(replica.Replica(app)(scope, receive, send))
    return sent[0]["status"], dict(sent[0]["headers"]), "".join(seen)


@pytest.fixture
def leaving(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(replica, "LEAVING", tmp_path / "leaving")
    monkeypatch.setenv("POD_NAME", "inference-a")
    return tmp_path / "leaving"


def test_answers_name_their_pod_and_the_balancer_hears_the_server_s_own_health(leaving: Path) -> None:
    assert not leaving.exists()
    assert asked("/v1/completions") == (200, {b"content-type": b"text/plain", b"x-pod": b"inference-a"}, "/v1/completions")
    assert asked("/health/balancer")[::2] == (200, "/health")


def test_a_replica_that_leaves_tells_the_balancer_and_serves_on(leaving: Path) -> None:
    leaving.touch()
    assert asked("/health/balancer")[::2] == (404, "")
    assert asked("/v1/completions")[::2] == (200, "/v1/completions")
