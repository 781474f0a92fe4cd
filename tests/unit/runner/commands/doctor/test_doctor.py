"""One look at a target: everything that stands for and against the chosen experiments, asked once, and nothing is changed."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes.client.exceptions import ApiException

from history.errors import TargetRefused
from testing.platform.fake_cluster import ROOT, pod
from testing.platform.prometheus_server import prometheus_server
from testing.platform.served_cluster import ServedCluster
from testing.runs.doctor_parts import SERVING, Ask
from tests.unit.probes.test_whose import up


def test_where_all_is_well_it_says_so_and_what_would_be_hit(served: ServedCluster, doctor: Ask) -> None:
    said = doctor(*SERVING)
    assert (said.code, said.of("refused"), served.changes) == (0, [], [])
    works = "\n".join(said.of("works"))
    assert "leads to http://127.0.0.1" in works
    assert "role inference: 3 of 3 replicas ready, as Deployment inference says; health: HTTP through pods/proxy" in works
    assert "serving/replica-killed: would hit pod inference-" in works
    assert "control/null-control: nothing is injected" in works
    assert said.lines[-2] == "of 2 experiments 2 can run, 0 are left out, 0 are refused; nothing was injected"
    assert said.lines[-1].startswith("next: pytest -m chaos -k null-control --chaos-target=")


def test_findings_stand_by_subject_in_the_order_of_mending(doctor: Ask) -> None:
    subjects = [line for line in doctor(*SERVING).lines if line and not line.startswith((" ", "of ", "next"))]
    assert subjects == ["cluster", "rights", "roles", "load", "Prometheus", "instruments", "experiments"]


def test_nothing_is_asked_twice_and_all_experiments_take_little_more_than_one(served: ServedCluster, doctor: Ask) -> None:
    took_s = []
    asked = []
    for words in (("experiments/serving/replica-killed.yaml",), ()):
        begun = time.monotonic()
        said = doctor(*words)
        took_s.append(time.monotonic() - begun)
        reads = [one for one in said.asked if one.startswith("GET") and "/version" not in one]
        assert sorted(reads) == sorted(set(reads))
        assert said.tried == 1
        asked.append(len(said.asked))
    print(f"one experiment: {asked[0]} requests, {took_s[0]:.1f} s; all that are shipped: {asked[1]} requests, {took_s[1]:.1f} s")
    assert asked[1] < 6 * asked[0]  # every experiment needs rights of its own, and looks at pods of its own
    assert served.changes == []


def test_everything_that_is_wrong_is_said_at_once(served: ServedCluster, doctor: Ask) -> None:
    cluster = served.cluster
    cluster.pods["ml-serving", "inference-b"] = pod("inference-b", "gpu-b", ready=False)
    cluster.pods["monitoring", "prometheus-0"] = pod("prometheus-0", "cpu-a", namespace="monitoring", app="prometheus", ready=False)
    cluster.denied = {("delete", "pods")}
    cluster.namespaces["ml-serving"] = {}
    said = doctor(*SERVING)
    assert said.code == 1
    refused = "\n".join(said.of("refused"))
    assert (
        "the account of context staging may not delete pods in ml-serving; needed by serving/replica-killed -> python -m runner rbac"
        in refused
    )
    assert f"{' '.join(SERVING)} | kubectl apply -f -" in refused
    assert "role inference has 2 of 3 replicas ready" in refused
    assert "instruments are not ready: prometheus-0" in refused
    assert "serving/replica-killed: what it hits has not consented, see above: cluster" in refused
    assert "control/null-control: see above: roles, instruments" in refused
    assert any(
        "which has not consented: kubectl label namespace ml-serving aftershock.dev/chaos=allowed" in one for one in said.of("to decide")
    )
    assert said.lines[-1].startswith("of 2 experiments 0 can run")


def without_controller(served: ServedCluster) -> None:
    del served.cluster.replicas["inference"]


def without_pods(served: ServedCluster) -> None:
    for name in ("s3-0", "s3-1"):
        del served.cluster.pods["ml-training", name]


def without_service(served: ServedCluster) -> None:
    served.cluster.services.remove(("ml-serving", "gateway"))


def without_namespace(served: ServedCluster) -> None:
    del served.cluster.namespaces["ml-training"]


def without_own_namespace(served: ServedCluster) -> None:
    del served.cluster.namespaces["aftershock"]


def without_secret(served: ServedCluster) -> None:
    served.cluster.secrets.clear()


def two_engines(served: ServedCluster) -> None:
    for name, image, owner in (("s3-0", "lmsysorg/sglang:v1", "StatefulSet"), ("s3-1", "vllm/vllm-openai:v2@sha256:ab", "ReplicaSet")):
        made = pod(name, "cpu-b", namespace="ml-training", app="s3", owner=owner)
        made.spec.containers[0].image = image
        served.cluster.pods["ml-training", name] = made


def old(served: ServedCluster) -> None:
    served.version = "v1.27.3-gke.100"


def one_replica(served: ServedCluster) -> None:
    served.cluster.replicas["inference"] = 1
    for name in ("inference-b", "inference-c"):
        del served.cluster.pods["ml-serving", name]


ONE = "its role is a single point of failure, see above: roles"
WRONG = (
    (
        without_controller,
        "refused",
        "role inference: there is no Deployment inference in namespace ml-serving (3 pods there carry app=inference)",
    ),
    (without_own_namespace, "refused", "the suite's own namespace aftershock is not there; make it: kubectl create namespace aftershock"),
    (without_secret, "to decide", "role storage: the Secret s3 of its object store is not in namespace ml-training"),
    (without_pods, "to decide", "role storage: selector app=s3 matches no pod in namespace ml-training"),
    (without_service, "to decide", "role gateway: Service gateway in namespace ml-serving is not there, or selects nothing"),
    (without_namespace, "to decide", "namespace ml-training is not there (roles models, storage, tracking, trainer)"),
    (
        two_engines,
        "to decide",
        "role storage: selector app=s3 selects servers of two kinds: StatefulSet owner (lmsysorg/sglang); ReplicaSet",
    ),
    (old, "left out", "Kubernetes 1.27 has no ValidatingAdmissionPolicy (on since 1.30): what `runner policy` prints"),
    (old, "left out", "Kubernetes 1.27 has no native sidecars (on since 1.29)"),
    (one_replica, "to decide", "role inference is a single point of failure (its only ready replica is inference-a): not tested"),
    (one_replica, "refused", f"serving/replica-killed: {ONE}"),
)


@pytest.mark.parametrize(("spoil", "kind", "said"), WRONG)
def test_what_is_wrong_with_a_target_is_named(served: ServedCluster, doctor: Ask, spoil: Any, kind: str, said: str) -> None:
    spoil(served)
    found = doctor(*SERVING, "experiments/storage/data-corrupted.yaml")
    assert any(line.startswith(said) for line in found.of(kind)), "\n".join(found.lines)
    assert found.code == int(bool(found.of("refused")))


def test_a_role_with_one_replica_is_a_risk_even_if_nobody_takes_it(served: ServedCluster, doctor: Ask) -> None:
    one_replica(served)
    said = doctor("experiments/control/null-control.yaml")
    assert said.code == 0
    [risk] = [line for line in said.of("to decide") if "role inference" in line]
    assert risk.endswith("run more, or allow it in the experiment: allow: {last_replica: true}")


def test_what_the_target_has_nothing_for_is_left_out_by_its_reason(doctor: Ask) -> None:
    said = doctor("experiments/serving/engine-killed.yaml", "experiments/serving/engine-frozen.yaml", *SERVING, roles=without_process())
    left = [line.partition(": role inference: ")[0] for line in said.of("left out") if ": role inference: " in line]
    assert left == ["serving/engine-killed", "serving/engine-frozen"]
    assert said.code == 0
    assert "2 can run, 2 are left out, 0 are refused" in said.lines[-2]


def without_process() -> dict[str, Any]:
    """Return the roles of the local target, which does not say how the engine process is recognised."""
    roles: dict[str, Any] = yaml.safe_load((ROOT / "targets" / "local.yaml").read_text())["roles"]
    del roles["inference"]["process"]
    return roles


def test_a_file_that_is_no_experiment_is_a_finding_and_one_that_is_not_there_refuses(doctor: Ask, tmp_path: Path) -> None:
    wrong = tmp_path / "mine" / "wrong.yaml"
    wrong.parent.mkdir()
    wrong.write_text("title: nothing else\n")
    said = doctor(str(wrong.parent), *SERVING)
    assert said.code == 1
    assert any(line.startswith("wrong: ") and "wrong.yaml" in line for line in said.of("refused"))
    missing = doctor(str(tmp_path / "nothing.yaml"))
    assert (missing.code, missing.lines) == (11, [])
    assert "nothing.yaml: no experiment there" in missing.errors


def test_who_cannot_connect_is_told_so_as_elsewhere(doctor: Ask) -> None:
    said = doctor(*SERVING, server="https://elsewhere.example.org")
    assert said.code == 11
    assert "the target file allows https://elsewhere.example.org only" in said.errors


def test_nodes_are_probed_only_when_asked_for(doctor: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    probed: list[set[str]] = []

    def probe(_platform: object, _run: str, nodes: set[str], _pause: object) -> dict[str, float]:
        probed.append(nodes)
        return dict.fromkeys(sorted(nodes), 1.25)

    monkeypatch.setattr("runner.commands.doctor.node_probes.probe_nodes", probe)
    cut = "experiments/serving/replica-partitioned.yaml"
    assert doctor(cut).code == 0
    assert probed == []
    said = doctor(cut, "--probe-nodes")
    assert probed == [{"gpu-a", "gpu-b", "gpu-c"}]
    assert "a fault pod can act on 3 nodes: gpu-a after 1.2 s, gpu-b after 1.2 s, gpu-c after 1.2 s" in said.of("works")
    none = doctor(*SERVING, "--probe-nodes")
    assert any("none was probed" in line for line in none.of("left out"))


def test_a_node_that_lets_no_fault_pod_act_is_refused(doctor: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    def probe(*_: object) -> dict[str, float]:
        raise TargetRefused("no fault pod can act", parts=("node gpu-a: it is kept from it",))

    monkeypatch.setattr("runner.commands.doctor.node_probes.probe_nodes", probe)
    said = doctor("experiments/serving/replica-partitioned.yaml", "--probe-nodes")
    assert said.code == 1
    assert "node gpu-a: it is kept from it" in said.of("refused")


def test_a_prometheus_of_another_cluster_is_said_by_its_labels(doctor: Ask) -> None:
    with prometheus_server(up("a:1", cluster="us", namespace="shop")) as server:
        said = doctor("experiments/control/null-control.yaml", prometheus={"url": server.url})
    [odd] = [line for line in said.of("to decide") if line.startswith("it has no series of any pod of the roles")]
    assert odd.startswith(
        'it has no series of any pod of the roles, but of cluster="us", namespace="shop"; if that is another cluster, correct'
    )
    assert any("the queue" in line or "no gauge" in line for line in said.of("refused")), said.lines  # the hypothesis asks for it


def test_a_prometheus_that_does_not_answer_is_said_once(doctor: Ask) -> None:
    said = doctor(*SERVING, prometheus={"url": "http://127.0.0.1:9"})
    assert said.code == 1
    assert sum("127.0.0.1:9" in line for line in said.lines) == 1
    assert any(line.endswith("see above: Prometheus") for line in said.of("refused"))


def test_no_secret_is_shown_whatever_the_server_says(served: ServedCluster, doctor: Ask) -> None:
    served.cluster.served["/apis/apps/v1/namespaces/ml-serving/deployments/gateway"] = ApiException(
        status=500, reason="an-opaque-token leaked"
    )
    said = doctor(*SERVING)
    assert any("500" in line for line in said.of("refused"))
    assert "an-opaque-token" not in "\n".join(said.lines) + said.errors
