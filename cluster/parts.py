"""What a cluster may have besides what each has (`up --with NAME`): another project's controller, built from its Go module.

Its objects (definitions, rights, webhooks, the controller) are the module's own files at the same version, rendered by kustomize; what is
changed for this cluster stands in manifests/parts.
"""

import json
import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from cluster import build
from cluster.build import Module, Say
from cluster.config import ClusterConfig
from cluster.errors import ClusterError

_PATCHES = Path(__file__).parent / "manifests" / "parts"


@dataclass(frozen=True, slots=True)
class Part:
    """A part: what is built, which kustomization of its Go module is applied, and the Deployment that tells when it works."""

    module: Module
    upstream: str  # the Go module
    kustomization: str  # a folder of it
    namespace: str
    deployment: str


PARTS = {
    "jobset": Part(
        Module("jobset", None, "JobSet's controller, five minutes"),
        upstream="sigs.k8s.io/jobset",
        kustomization="config/default",
        namespace="jobset-system",
        deployment="jobset-controller-manager",
    )
}


def parts_of(config: ClusterConfig) -> list[Part]:
    """Return the parts of a cluster; raise ClusterError for one that nobody knows."""
    if unknown := set(config.parts) - set(PARTS):
        raise ClusterError(f"cluster {config.name}: no part is called {', '.join(sorted(unknown))}; there are: {', '.join(PARTS)}.")
    return [PARTS[name] for name in config.parts]


def binaries(config: ClusterConfig, say: Say) -> Path:
    """Return the folder with all programs of a cluster, building what the cache lacks; raise ClusterError where that fails."""
    return build.binaries(say, [part.module for part in parts_of(config)])


def manifests(config: ClusterConfig, programs: Path) -> list[str]:
    """Return the objects of a cluster's parts as YAML; raise ClusterError where they cannot be rendered."""
    return [_rendered(part, programs) for part in parts_of(config)]


def _rendered(part: Part, programs: Path) -> str:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        base = os.path.relpath(_upstream(part) / part.kustomization, folder)  # kustomize takes no absolute path
        patch = (_PATCHES / f"{part.module.name}.yaml").read_text()
        (folder / "kustomization.yaml").write_text(json.dumps({"resources": [base], "patches": [{"patch": patch}]}))
        argv = [str(programs / "kubectl"), "kustomize", str(folder)]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ClusterError(f"the objects of {part.upstream} could not be rendered: {done.stderr.strip()[-500:]}")
    return done.stdout


def _upstream(part: Part) -> Path:
    return build.upstream(part.module.name, part.upstream)
