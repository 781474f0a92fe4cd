"""What a cluster may have besides what each has: built beside the rest, from a Go module whose own files are applied."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from cluster import build, parts
from cluster.build import MODULES, Module
from cluster.cli import _config, parser
from cluster.config import ClusterConfig, default_config, from_json, to_json
from cluster.errors import ClusterError

WITH = replace(default_config("jobset", 7), parts=("jobset",))


def test_no_cluster_has_a_part_that_it_was_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []

    def binaries(_say: object, modules: list[Module]) -> Path:
        asked.append([module.name for module in modules])
        return Path("/programs")

    monkeypatch.setattr(build, "binaries", binaries)
    for config in (default_config(), WITH):
        assert parts.binaries(config, print) == Path("/programs")
    assert asked == [[], ["jobset"]]
    assert parts.manifests(default_config(), Path("/programs")) == []


def test_a_clusters_parts_are_kept_with_it() -> None:
    assert from_json(to_json(WITH)) == WITH
    assert default_config().parts == ()


def test_they_are_asked_for_on_the_command_line() -> None:
    def config(*words: str) -> ClusterConfig:
        return _config(parser().parse_args(["--name", "jobset", "up", "--index", "7", *words]))

    assert config("--with", "jobset") == WITH
    assert config().parts == ()
    with pytest.raises(SystemExit):
        config("--with", "kueue")


def test_one_that_nobody_knows_is_named() -> None:
    with pytest.raises(ClusterError, match="no part is called kueue; there are: jobset, chaos-mesh"):
        parts.parts_of(replace(WITH, parts=("kueue",)))


@pytest.mark.parametrize("name", parts.PARTS)
def test_every_part_has_its_locked_sources_and_says_what_differs_here(name: str) -> None:
    part = parts.PARTS[name]
    folder = build.GO_FOLDER / part.module.name
    assert part.module not in MODULES
    assert re.search(rf"^(tool |\t){re.escape(part.upstream)}(/\S+)?$", (folder / "go.mod").read_text(), re.MULTILINE)
    assert f"{part.upstream} v" in (folder / "go.sum").read_text()
    patches = list(yaml.safe_load_all((parts._PATCHES / f"{name}.yaml").read_text()))
    assert ("Deployment", part.deployment) in {(one["kind"], one["metadata"]["name"]) for one in patches}
    assert {one["metadata"]["namespace"] for one in patches} == {part.namespace}
    shown = [json.dumps(one["spec"]["template"]["spec"]) for one in patches]
    assert all("/opt/cluster/bin" in spec for spec in shown)  # where the programs are that were built


def test_a_chart_is_rendered_with_our_values_and_its_definitions_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The programs in the places of helm and kubectl print what they are to render."""
    chart = tmp_path / "module" / "helm" / "chaos-mesh"
    (chart / "crds").mkdir(parents=True)
    (chart / "crds" / "chaos-mesh.org_podchaos.yaml").write_text("kind: CustomResourceDefinition\n")
    (chart / "crds" / "chaos-mesh.org_networkchaos.yaml").write_text("kind: differs\n")
    for name, script in {"helm": 'echo "# $@"', "kubectl": 'cat "$2/chart.yaml" "$2/kustomization.yaml"'}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setattr(parts, "_upstream", lambda _part: tmp_path / "module")
    with_mesh = replace(default_config("mesh", 8), parts=("chaos-mesh",))
    (rendered,) = parts.manifests(with_mesh, tmp_path)
    definitions, objects = rendered.split("\n---\n", 1)
    assert definitions == "kind: CustomResourceDefinition\n"
    called, _, asked = objects.partition("\n")
    assert called.startswith(f"# template chaos-mesh {chart} --namespace chaos-mesh --values ")
    made = yaml.safe_load(asked)
    assert made["resources"] == ["chart.yaml", "chaos-mesh.org_networkchaos.yaml"]
    deployment, daemons, definition = made["patches"]
    assert [yaml.safe_load(one["patch"])["kind"] for one in (deployment, daemons)] == ["Deployment", "DaemonSet"]
    assert definition["target"] == {"kind": "CustomResourceDefinition", "name": "networkchaos.chaos-mesh.org"}
    assert [package.name for package in parts.packages_of(with_mesh)] == ["ipset"]
    assert parts.packages_of(default_config()) == []
    (tmp_path / "helm").write_text("#!/bin/sh\necho 'bad values' >&2; exit 1\n")
    with pytest.raises(ClusterError, match=r"github\.com/chaos-mesh/chaos-mesh could not be rendered: bad values"):
        parts.manifests(with_mesh, tmp_path)


def test_its_objects_are_the_modules_own_with_what_differs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program in kubectl's place prints what it is to render."""
    (tmp_path / "module" / "config" / "default").mkdir(parents=True)
    kubectl = tmp_path / "kubectl"
    kubectl.write_text('#!/bin/sh\ncat "$2/kustomization.yaml"; echo; echo "$2"\n')
    kubectl.chmod(0o755)
    monkeypatch.setattr(parts, "_upstream", lambda _part: tmp_path / "module")
    (rendered,) = parts.manifests(WITH, tmp_path)
    text, folder = rendered.splitlines()
    asked = yaml.safe_load(text)
    assert (Path(folder) / asked["resources"][0]).resolve() == (tmp_path / "module" / "config" / "default").resolve()
    assert "/opt/cluster/bin/jobset" in asked["patches"][0]["patch"]
    kubectl.write_text("#!/bin/sh\necho 'no such folder' >&2; exit 1\n")
    with pytest.raises(ClusterError, match=r"sigs\.k8s\.io/jobset could not be rendered: no such folder"):
        parts.manifests(WITH, tmp_path)
