"""What a cluster may have besides what each has (`up --with NAME`): another project's controller, built from its Go module.

Its objects (definitions, rights, webhooks, the controller) are the module's own files at the same version: a kustomization, or a Helm chart
with our values. What else is changed for this cluster are the patches in manifests/parts.
"""

import json
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from cluster import build
from cluster.build import Module, Say
from cluster.config import KUBERNETES_VERSION, ClusterConfig
from cluster.errors import ClusterError
from cluster.host.packages import Package

_PATCHES = Path(__file__).parent / "manifests" / "parts"
Plain = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Part:
    """A part: what is built, which kustomization or chart of its Go module is applied, and the Deployment that tells when it works."""

    module: Module
    upstream: str  # the Go module
    folder: str  # of it: a kustomization, or a chart if there are values for it in manifests/parts
    namespace: str
    deployment: str
    packages: tuple[Package, ...] = ()  # of Debian, that its containers use besides those that each cluster needs


PARTS = {
    "jobset": Part(
        Module("jobset", None, "JobSet's controller, five minutes"),
        upstream="sigs.k8s.io/jobset",
        folder="config/default",
        namespace="jobset-system",
        deployment="jobset-controller-manager",
    ),
    "chaos-mesh": Part(
        Module("chaos-mesh", None, "Chaos Mesh's controller and daemon, and Helm, which renders their chart, ten minutes", cgo=True),
        upstream="github.com/chaos-mesh/chaos-mesh",
        folder="helm/chaos-mesh",
        namespace="chaos-mesh",
        deployment="chaos-controller-manager",
        packages=(Package("ipset", "ipset", "Chaos Mesh's daemon: the addresses from which a pod is cut off"),),
    ),
}


def parts_of(config: ClusterConfig) -> list[Part]:
    """Return the parts of a cluster; raise ClusterError for one that nobody knows."""
    if unknown := set(config.parts) - set(PARTS):
        raise ClusterError(f"cluster {config.name}: no part is called {', '.join(sorted(unknown))}; there are: {', '.join(PARTS)}.")
    return [PARTS[name] for name in config.parts]


def binaries(config: ClusterConfig, say: Say) -> Path:
    """Return the folder with all programs of a cluster, building what the cache lacks; raise ClusterError where that fails."""
    return build.binaries(say, [part.module for part in parts_of(config)])


def packages_of(config: ClusterConfig) -> list[Package]:
    """Return Debian's packages that a cluster's parts need besides its own."""
    return [package for part in parts_of(config) for package in part.packages]


def manifests(config: ClusterConfig, programs: Path) -> list[str]:
    """Return the objects of a cluster's parts as YAML; raise ClusterError where they cannot be rendered."""
    return [_rendered(part, programs) for part in parts_of(config)]


def _rendered(part: Part, programs: Path) -> str:
    upstream = _upstream(part) / part.folder
    same, changed = _definitions(part, upstream)
    patches = [{"patch": one} for one in (_PATCHES / f"{part.module.name}.yaml").read_text().split("\n---\n")]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        resources = _resources(part, programs, upstream, folder)
        for file in changed:
            shutil.copy(file, folder / file.name)
        made = {"resources": [*resources, *(file.name for file in changed)], "patches": [*patches, *changed.values()]}
        (folder / "kustomization.yaml").write_text(json.dumps(made))
        objects = _output(part, [str(programs / "kubectl"), "kustomize", str(folder)])
    return "\n---\n".join([*(file.read_text() for file in same), objects])


def _resources(part: Part, programs: Path, upstream: Path, folder: Path) -> list[str]:
    """Return what is patched, as kustomize in ``folder`` names it: a kustomization, or a chart that was rendered into ``folder``."""
    values = _PATCHES / f"{part.module.name}.values.yaml"
    if not values.exists():
        return [os.path.relpath(upstream, folder)]  # kustomize takes no absolute path
    (folder / "chart.yaml").write_text(_chart(part, programs, upstream, values, folder))
    return ["chart.yaml"]


def _definitions(part: Part, upstream: Path) -> tuple[list[Path], dict[Path, Plain]]:
    """Return the definitions of a chart (megabytes): those that are applied as they are, and those that differ here, with the patch."""
    differs = _PATCHES / f"{part.module.name}.definitions.yaml"
    patches = {one["target"]["name"]: one for one in yaml.safe_load(differs.read_text())} if differs.exists() else {}
    names = {file: ".".join(reversed(file.stem.split("_"))) for file in sorted(upstream.glob("crds/*.yaml"))}  # GROUP_PLURAL.yaml
    return [file for file, name in names.items() if name not in patches], {f: patches[name] for f, name in names.items() if name in patches}


def _chart(part: Part, programs: Path, chart: Path, values: Path, folder: Path) -> str:
    """Return a chart's objects without its definitions. ``folder``: where Helm may keep what it likes to."""
    argv = [str(programs / "helm"), "template", part.module.name, str(chart), "--namespace", part.namespace, "--values", str(values)]
    kept = {f"HELM_{what}_HOME": str(folder) for what in ("CACHE", "CONFIG", "DATA")}
    return _output(part, [*argv, "--kube-version", KUBERNETES_VERSION], kept)


def _output(part: Part, argv: list[str], environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env={**os.environ, **(environment or {})})
    if done.returncode != 0:
        raise ClusterError(f"the objects of {part.upstream} could not be rendered: {done.stderr.strip()[-500:]}")
    return done.stdout


def _upstream(part: Part) -> Path:
    return build.upstream(part.module.name, part.upstream)
