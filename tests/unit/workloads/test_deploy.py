"""The thin layer over kubectl, with a program in kubectl's place."""

import json
import stat
import sys
from pathlib import Path

import pytest
import yaml

from workloads import deploy
from workloads.__main__ import main

DEPLOYMENT = {
    "spec": {"replicas": 3, "selector": {"matchLabels": {"app": "inference"}}, "template": {"spec": {"containers": [{}]}}},
    "status": {"availableReplicas": 2},
}


@pytest.fixture
def kubectl(tmp_path: Path) -> Path:
    """A kubectl that writes its arguments down, knows one Deployment and no pods or nodes, and fails for a rollout when told to."""
    rendered = yaml.safe_dump({"kind": "Deployment", "metadata": {"namespace": "ml-serving", "name": "inference"}})
    answers = {"kustomize": rendered, "deployment": json.dumps(DEPLOYMENT), "nodes": json.dumps({"items": []})}
    answers |= {"app=inference": json.dumps({"items": []})}
    program = tmp_path / "kubectl"
    program.write_text(
        f"#!{sys.executable}\n"
        "import sys, pathlib\n"
        f"here, answers = pathlib.Path({str(tmp_path)!r}), {answers!r}\n"
        "pods = here / 'pods.json'\n"
        "if pods.exists(): answers['app=inference'] = pods.read_text()\n"
        "with (here / 'calls').open('a') as calls: print(*sys.argv[1:], file=calls)\n"
        "print(next((answers[a] for a in sys.argv if a in answers), ''))\n"
        "sys.exit('rollout' in sys.argv and (here / 'broken').exists())\n"
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program


def calls(kubectl: Path) -> list[str]:
    return kubectl.with_name("calls").read_text().splitlines()


def test_deploy_applies_and_watches_every_deployment(kubectl: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["deploy", "--kubectl", str(kubectl), "--timeout", "7"]) == 0
    assert calls(kubectl) == [
        f"apply -k {deploy.MANIFESTS}/suite",
        f"apply -k {deploy.MANIFESTS}/hardened",
        f"kustomize {deploy.MANIFESTS}/hardened",
        "-n ml-serving delete pods --field-selector=status.phase=Failed --ignore-not-found",
        "-n ml-serving rollout status deployment/inference --timeout=7s",
        "-n ml-serving get deployment inference -o json",
        "-n ml-serving get pods -l app=inference -o json",
        "get nodes -o json",
    ]
    assert "waiting for deployment ml-serving/inference, up to 7 s" in capsys.readouterr().out


def with_stores(kubectl: Path, *urls: str) -> None:
    """Let the one Deployment fetch its weights from stores."""
    containers = [{"env": [{"name": "MODEL_URLS", "value": ",".join(urls)}]}]
    made = {"kind": "Deployment", "metadata": {"namespace": "ml-serving", "name": "inference"}}
    made |= {"spec": {"template": {"spec": {"containers": containers}}}}
    before = yaml.safe_dump({"kind": "Deployment", "metadata": {"namespace": "ml-serving", "name": "inference"}})
    kubectl.write_text(kubectl.read_text().replace(repr(before), repr(yaml.safe_dump(made))))


def test_without_the_stores_of_its_weights_it_says_so_instead_of_waiting(kubectl: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with_stores(kubectl, "http://s3-zone-b.ml-training:7070/models/x", " http://near:7070/models/x")
    assert main(["deploy", "--kubectl", str(kubectl), "--timeout", "7"]) == 1
    assert "Service ml-training/s3-zone-b is not there, and replicas fetch their weights from it" in capsys.readouterr().err
    assert not any("rollout" in call for call in calls(kubectl))
    kubectl.write_text(kubectl.read_text().replace("if pods.exists()", "answers['service'] = 'service/there'\nif pods.exists()"))
    assert main(["deploy", "--kubectl", str(kubectl), "--timeout", "7"]) == 0
    assert [call for call in calls(kubectl) if "service" in call][-2:] == [
        "-n ml-training get service s3-zone-b --ignore-not-found -o name",
        "-n ml-serving get service near --ignore-not-found -o name",
    ]


@pytest.fixture
def _compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deploy, "compile_modules", lambda _say: None)


@pytest.mark.usefixtures("_compiled")
def test_on_the_embedded_cluster_the_training_platform_is_deployed_too(kubectl: Path) -> None:
    deploy.deploy(deploy.Kubectl((str(kubectl),), embedded=True), "hardened", 7, lambda _said: None)
    said = calls(kubectl)
    assert said[1:3] == [f"apply -k {deploy.MANIFESTS}/{folder}" for folder in ("training", "hardened")]
    assert "-n ml-training wait --for=condition=complete job/buckets --timeout=7s" in said
    assert "-n ml-training rollout status deployment/inference --timeout=7s" in said  # what this kubectl renders is one Deployment


@pytest.mark.usefixtures("_compiled")
def test_with_vllm_the_same_platform_has_another_engine_and_nothing_trains(kubectl: Path) -> None:
    deploy.deploy(deploy.Kubectl((str(kubectl),), embedded=True), "vllm", 7, lambda _said: None)
    said = calls(kubectl)
    assert f"apply -k {deploy.MANIFESTS}/vllm" in said
    assert not any("ml-training" in call or "training" in call for call in said)


@pytest.mark.usefixtures("_compiled")
def test_a_variant_that_only_trains_has_no_model_to_start_alone(kubectl: Path) -> None:
    kubectl.write_text(kubectl.read_text().replace("kind: Deployment", "kind: JobSet"))
    deploy.deploy(deploy.Kubectl((str(kubectl),), embedded=True), "jobset", 7, lambda _said: None)
    assert f"apply -k {deploy.MANIFESTS}/jobset" in calls(kubectl)
    assert not any("ml-serving" in call for call in calls(kubectl))


@pytest.mark.usefixtures("_compiled")
@pytest.mark.parametrize(("made_s", "replaced"), [((1, 1, 2), True), ((1, 1, 40), False), ((1,), False)])
def test_of_replicas_that_started_at_once_one_starts_again_alone(kubectl: Path, made_s: tuple[int, ...], *, replaced: bool) -> None:
    state = {"spec": {}, "status": {"phase": "Running"}}
    pods = [{"metadata": {"name": f"pod-{i}", "creationTimestamp": f"2026-01-01T00:00:{at:02}Z"}, **state} for i, at in enumerate(made_s)]
    kubectl.with_name("pods.json").write_text(json.dumps({"items": pods}))
    deploy.deploy(deploy.Kubectl((str(kubectl),), embedded=True), "hardened", 7, lambda _said: None)
    assert ("-n ml-serving delete pod pod-0" in calls(kubectl)) is replaced


def test_a_rollout_that_fails_is_named_with_what_to_do(kubectl: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kubectl.with_name("broken").touch()
    assert main(["deploy", "--kubectl", str(kubectl), "--timeout", "7"]) == 1
    assert "deployment ml-serving/inference did not roll out within 7 s" in capsys.readouterr().err
    assert calls(kubectl)[-1] == "-n ml-serving get pods -o wide"


def test_status_fails_while_a_replica_is_missing(kubectl: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--kubectl", str(kubectl)]) == 1
    assert "ml-serving/inference: 2 of 3 replicas available" in capsys.readouterr().out


def test_unknown_variants_and_programs_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--variant", "foo"]) == 1
    assert main(["status", "--kubectl", "no-such-program"]) == 1
    said = capsys.readouterr().err
    assert "there is no variant 'foo'" in said
    assert "no-such-program can't be started (No such file or directory)" in said


def test_the_embedded_cluster_is_the_default_and_a_kubeconfig_leaves_it() -> None:
    embedded = (sys.executable, "-m", "cluster", "--name")
    assert deploy.Kubectl.choose(None, None) == deploy.Kubectl((*embedded, "local", "kubectl"), embedded=True)
    assert deploy.Kubectl.choose(None, None, "jobset") == deploy.Kubectl((*embedded, "jobset", "kubectl"), embedded=True)
    assert deploy.Kubectl.choose(None, "/k") == deploy.Kubectl(("kubectl", "--kubeconfig", "/k"))
    assert deploy.Kubectl.choose("k3s kubectl", None) == deploy.Kubectl(("k3s", "kubectl"))
