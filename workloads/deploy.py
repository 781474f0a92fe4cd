"""Put the reference platform on a cluster, take it away, look at it: kubectl and kustomize do the work."""

import json
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import yaml

from workloads import spread
from workloads.compiled import compile_modules
from workloads.spread import Object
from workloads.weights_stores import stores_of

MANIFESTS = Path(__file__).parent / "manifests"
SUITE, TRAINING, VLLM = "suite", "training", "vllm"
NOT_VARIANTS = {"base", SUITE, TRAINING}
WEAK = "weak"  # the folder of variants with one weakness each: weak/NAME
TRAINING_NAMESPACE, MODEL = "ml-training", "inference"
AT_ONCE = timedelta(seconds=5)


class DeployFailed(RuntimeError):
    """The platform could not be brought to the asked state; the sentence says what to do."""


@dataclass(frozen=True, slots=True)
class Kubectl:
    """How to call kubectl."""

    command: tuple[str, ...]
    embedded: bool = False
    """Whether it speaks to the embedded cluster, whose pods see this machine's files."""

    @classmethod
    def choose(cls, command: str | None, kubeconfig: str | None, cluster: str = "local") -> "Kubectl":
        """Use ``command`` or kubectl, on ``kubeconfig``; without both, that of the embedded cluster of a name."""
        if command is None and kubeconfig is None:
            return cls((sys.executable, "-m", "cluster", "--name", cluster, "kubectl"), embedded=True)
        return cls((*shlex.split(command or "kubectl"), *(("--kubeconfig", kubeconfig) if kubeconfig else ())))

    def run(self, *arguments: str, capture: bool = False) -> str:
        """Run kubectl and return its output if captured; raises DeployFailed when it fails."""
        try:
            done = subprocess.run([*self.command, *arguments], stdout=subprocess.PIPE if capture else None, text=True, check=False)
        except OSError as error:
            raise DeployFailed(
                f"{self.command[0]} can't be started ({error.strerror}); install kubectl or name it with --kubectl"
            ) from error
        if done.returncode:
            raise DeployFailed(f"`{shlex.join([*self.command, *arguments])}` ended with exit code {done.returncode}, see its message above")
        return done.stdout or ""

    def read(self, *arguments: str) -> Object:
        """Run `kubectl get …` and return the object or list."""
        found: Object = json.loads(self.run(*arguments, "-o", "json", capture=True))
        return found


@dataclass(frozen=True, slots=True)
class Deployment:
    """A Deployment of a variant."""

    namespace: str
    name: str


def variants() -> list[str]:
    """Return the names of all variants, the weak ones last."""
    whole = sorted(path.parent.name for path in MANIFESTS.glob("*/kustomization.yaml") if path.parent.name not in NOT_VARIANTS)
    return whole + sorted(f"{WEAK}/{path.parent.name}" for path in MANIFESTS.glob(f"{WEAK}/*/kustomization.yaml"))


def folder_of(variant: str) -> Path:
    """Return a variant's kustomization folder; raises DeployFailed when there is none of that name."""
    if variant not in variants():
        raise DeployFailed(f"there is no variant {variant!r} in {MANIFESTS}, expected one of: {', '.join(variants())}")
    return MANIFESTS / variant


def deployments(rendered: list[Object]) -> list[Deployment]:
    """Return the Deployments among the objects of a variant."""
    return [Deployment(o["metadata"]["namespace"], o["metadata"]["name"]) for o in rendered if o["kind"] == "Deployment"]


def objects_of(kubectl: Kubectl, variant: str) -> list[Object]:
    """Return the objects that the variant consists of. Raises DeployFailed: there is none of that name."""
    return _rendered(kubectl, folder_of(variant))


def deploy(kubectl: Kubectl, variant: str, timeout_s: int, say: Callable[[str], None]) -> None:
    """Apply the suite's namespace, the variant and the training platform, and watch until everything has rolled out.

    Raises DeployFailed when kubectl fails or something needs longer than ``timeout_s``.
    """
    started, folder = time.monotonic(), folder_of(variant)
    if kubectl.embedded:
        compile_modules(say)
    say(f"applying {folder.relative_to(MANIFESTS.parent.parent)}")
    kubectl.run("apply", "-k", str(MANIFESTS / SUITE))
    trains = kubectl.embedded and variant != VLLM  # nothing of it is tried beside vLLM, which leaves it little memory
    if trains:  # elsewhere its disks have other places: apply workloads/manifests/training with your own storage class
        apply_training(kubectl, say)
    kubectl.run("apply", "-k", str(folder))
    objects = objects_of(kubectl, variant)
    _demand_stores(kubectl, objects)
    parts = deployments(objects)
    for namespace in sorted({one.namespace for one in parts}):
        # pods that a rebooting node refused stay listed, and their Deployment has replaced them long ago
        kubectl.run("-n", namespace, "delete", "pods", "--field-selector=status.phase=Failed", "--ignore-not-found")
    for one in parts:
        _await_rollout(kubectl, one, timeout_s, say)
    _await_stateful(kubectl, objects, timeout_s)
    for one in parts:
        _spread(kubectl, one, timeout_s, say)
    if trains:
        await_training(kubectl, timeout_s, say)
    if kubectl.embedded and parts:  # a variant that only trains has none
        _start_alone(kubectl, parts, timeout_s, say)
    say(f"the platform ({variant}) is up, after {time.monotonic() - started:.0f} s")


def _demand_stores(kubectl: Kubectl, objects: list[Object]) -> None:
    """Raise DeployFailed if a Service is not there from which replicas fetch their weights: they would wait for it until time is up."""
    for namespace, name in stores_of(objects):
        if not kubectl.run("-n", namespace, "get", "service", name, "--ignore-not-found", "-o", "name", capture=True).strip():
            training = (MANIFESTS / TRAINING).relative_to(MANIFESTS.parent.parent)
            raise DeployFailed(
                f"Service {namespace}/{name} is not there, and replicas fetch their weights from it (MODEL_URLS): apply {training} with "
                "a storage class of yours, or take MODEL_URLS and MODEL_DIR out of base/inference.yaml: then the image has them"
            )


def apply_training(kubectl: Kubectl, say: Callable[[str], None]) -> None:
    """Apply the training platform: stores, ledger, and the templates of jobs; nothing trains yet.

    A Job cannot be changed: one that makes buckets and differs from its manifest is made again.
    """
    folder = str(MANIFESTS / TRAINING)
    say("applying the training platform")
    try:
        kubectl.run("apply", "-k", folder)
    except DeployFailed:
        kubectl.run("-n", TRAINING_NAMESPACE, "delete", "job", "buckets", "--ignore-not-found")
        kubectl.run("apply", "-k", folder)


def await_training(kubectl: Kubectl, timeout_s: int, say: Callable[[str], None]) -> None:
    """Wait until stores and ledger have rolled out and the buckets are made. Raises DeployFailed."""
    say(f"waiting for the training platform, up to {timeout_s} s")
    parts = [
        f"{o['kind'].lower()}/{o['metadata']['name']}"
        for o in _rendered(kubectl, MANIFESTS / TRAINING)
        if o["kind"] in {"Deployment", "StatefulSet"}
    ]
    for part in parts:
        kubectl.run("-n", TRAINING_NAMESPACE, "rollout", "status", part, f"--timeout={timeout_s}s")
    kubectl.run("-n", TRAINING_NAMESPACE, "wait", "--for=condition=complete", "job/buckets", f"--timeout={timeout_s}s")


def _rendered(kubectl: Kubectl, folder: Path) -> list[Object]:
    return [found for found in yaml.safe_load_all(kubectl.run("kustomize", str(folder), capture=True)) if found]


def _await_rollout(kubectl: Kubectl, one: Deployment, timeout_s: int, say: Callable[[str], None]) -> None:
    say(f"waiting for deployment {one.namespace}/{one.name}, up to {timeout_s} s")
    try:
        kubectl.run("-n", one.namespace, "rollout", "status", f"deployment/{one.name}", f"--timeout={timeout_s}s")
    except DeployFailed as failure:
        kubectl.run("-n", one.namespace, "get", "pods", "-o", "wide")
        raise DeployFailed(
            f"deployment {one.namespace}/{one.name} did not roll out within {timeout_s} s; its pods are listed above, "
            f"`kubectl -n {one.namespace} describe pods` and `kubectl -n {one.namespace} logs deployment/{one.name}` say more"
        ) from failure


def _await_stateful(kubectl: Kubectl, objects: list[Object], timeout_s: int) -> None:
    for found in (one["metadata"] for one in objects if one["kind"] == "StatefulSet"):
        kubectl.run("-n", found["namespace"], "rollout", "status", f"statefulset/{found['name']}", f"--timeout={timeout_s}s")


def _spread(kubectl: Kubectl, one: Deployment, timeout_s: int, say: Callable[[str], None]) -> None:
    """Restart a Deployment, replica by replica, that an earlier fault has left crowded into fewer zones than it wants."""
    by_zone = zones_of(kubectl, one)
    if by_zone is None:
        return
    say(f"{one.namespace}/{one.name} stands as {by_zone}: a rolling restart spreads it over the zones again")
    kubectl.run("-n", one.namespace, "rollout", "restart", f"deployment/{one.name}")
    _await_rollout(kubectl, one, timeout_s, say)


def _start_alone(kubectl: Kubectl, parts: list[Deployment], timeout_s: int, say: Callable[[str], None]) -> None:
    """Replace one replica of the model, if all of them started at once.

    How long a replica takes that starts alone is what deadlines are made of. On nodes that share one machine, replicas that start
    together do not show it; on a cluster of machines they do.
    """
    model = next(one for one in parts if one.name == MODEL)
    pods = kubectl.read("-n", model.namespace, "get", "pods", "-l", f"app={MODEL}")["items"]
    made = sorted(datetime.fromisoformat(pod["metadata"]["creationTimestamp"]) for pod in pods)
    if len(made) < 2 or made[-1] - made[0] > AT_ONCE:
        return
    say("starting one replica of the model alone")
    kubectl.run("-n", model.namespace, "delete", "pod", pods[0]["metadata"]["name"])
    _await_rollout(kubectl, model, timeout_s, say)


def zones_of(kubectl: Kubectl, one: Deployment) -> dict[str, int] | None:
    """Return the replicas a zone of a Deployment that is spread unevenly; None if it stands as it wants."""
    deployment = kubectl.read("-n", one.namespace, "get", "deployment", one.name)
    selector = ",".join(f"{name}={value}" for name, value in deployment["spec"]["selector"]["matchLabels"].items())
    pods = kubectl.read("-n", one.namespace, "get", "pods", "-l", selector)["items"]
    by_zone = spread.replicas_by_zone(deployment, pods, kubectl.read("get", "nodes")["items"])
    return by_zone if spread.uneven(deployment, by_zone) else None


def delete(kubectl: Kubectl, variant: str, timeout_s: int, say: Callable[[str], None]) -> None:
    """Delete the variant and wait until it is gone; the suite's namespace stays, its journals are the suite's to close."""
    say(f"deleting {variant}, up to {timeout_s} s")
    for folder in (folder_of(variant), *([MANIFESTS / TRAINING] if kubectl.embedded else [])):
        kubectl.run("delete", "-k", str(folder), "--ignore-not-found", "--wait", f"--timeout={timeout_s}s")


def status(kubectl: Kubectl, variant: str, say: Callable[[str], None]) -> bool:
    """Print each Deployment's state; return whether all replicas of all of them are available."""
    complete = True
    for one in deployments(objects_of(kubectl, variant)):
        found = yaml.safe_load(
            kubectl.run("-n", one.namespace, "get", "deployment", one.name, "--ignore-not-found", "-o", "yaml", capture=True)
        )
        wanted, available = replicas(found)
        complete = complete and wanted is not None and available == wanted
        say(f"{one.namespace}/{one.name}: " + ("not deployed" if wanted is None else f"{available} of {wanted} replicas available"))
    return complete


def replicas(deployment: Object | None) -> tuple[int | None, int]:
    """Return how many replicas a Deployment object wants (None: there is none) and how many are available."""
    if not deployment:
        return None, 0
    return int(deployment["spec"].get("replicas", 1)), int(deployment.get("status", {}).get("availableReplicas", 0))
