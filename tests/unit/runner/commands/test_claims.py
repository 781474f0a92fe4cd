"""``python -m runner claims``: a repository in which manifests change, and which claims that voids."""

from __future__ import annotations

import subprocess
from argparse import ArgumentParser
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.nights.worlds import World
from history.errors import ConfigError
from nights.shelf import as_json
from nights.store.folder import FolderStore
from runner.commands import claims
from runner.commands.git_changes import changed_between

DEPLOYMENT = (
    "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: inference, namespace: {namespace}}}\nspec: {{replicas: {replicas}}}\n"
)
GIT = ("git", "-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "commit.gpgsign=false")


class Repository:
    """A repository with an experiment, a target file and a manifest."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.git("init", "-q", "-b", "main")
        self.write("experiments/serving/experiment-00.yaml", "title: one\n")
        self.write("targets/staging.yaml", "schema: 2\nname: staging\nroles: {}\n")
        self.write(SERVED, DEPLOYMENT.format(namespace="ml-serving", replicas=2))
        self.commit()

    def git(self, *words: str) -> None:
        subprocess.run([*GIT, *words], cwd=self.root, check=True, capture_output=True)

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def commit(self) -> None:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "x")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    root = tmp_path / "repository"
    root.mkdir()
    monkeypatch.chdir(root)
    return Repository(root)


def nights(folder: Path) -> str:
    for night in World(7, experiments=2, trials=1).nights(3):
        placed = (
            replace(run, started_ns=2 * 10**18, namespaces={"inference": "ml-serving"}, touched=("ml-serving",)) for run in night.runs
        )  # in 2033: not expired
        FolderStore(folder).write(f"records/{night.night}.json", as_json(replace(night, runs=tuple(placed))))
    return str(folder)


def run(*words: str) -> tuple[int, list[str]]:
    parser, said = ArgumentParser(), list[str]()
    claims.add_to(parser)
    code = claims.claims(parser.parse_args(words), said.append)
    return code, said


SERVED = "k8s/inference.yaml"
CASES: dict[str, tuple[str, str, int, str]] = {
    "its manifest": (SERVED, DEPLOYMENT.format(namespace="ml-serving", replicas=1), 1, "ml-serving/inference is another"),
    "a manifest of another": ("k8s/other.yaml", DEPLOYMENT.format(namespace="web", replicas=1), 0, "all 2 claims"),
    "only its comments": (SERVED, "# new\n" + DEPLOYMENT.format(namespace="ml-serving", replicas=2), 0, "all 2 claims"),
    "a template": ("chart/templates/x.yaml", "{{ if .Values.x }}\nkind: ConfigMap\n", 1, "not plain YAML"),
    "values of a chart": ("chart/values-prod.yaml", "replicas: 1\n", 1, "values of a chart"),
    "an image": ("serving/Dockerfile", "FROM scratch\n", 1, "an image is built from it"),
    "a kustomization": ("k8s/kustomization.yaml", "kind: Kustomization\nimages: []\n", 1, "a kustomization without a namespace"),
    "the target": ("targets/staging.yaml", "schema: 2\nname: staging\nroles: {a: {}}\n", 1, "the target file is another"),
    "an experiment": ("experiments/serving/experiment-00.yaml", "title: two\n", 1, "the experiment is another"),
    "code": ("app/main.py", "print()\n", 0, "all 2 claims"),
    "a template that is YAML": (
        "chart/templates/x.yaml", 'kind: ConfigMap\nmetadata: {name: x, namespace: "{{ .Release.Namespace }}"}\n', 1, "not plain YAML",
    ),
    "a template in what an object holds": (
        "k8s/rules.yaml", 'kind: PrometheusRule\nmetadata: {name: x, namespace: web}\nspec: {say: "{{ $value }}"}\n', 0, "all 2 claims",
    ),
    "helpers of a chart": ("chart/templates/_helpers.tpl", "{{ define }}\n", 1, "not plain YAML"),
    "values under another name": ("chart/prod-values.yaml", "replicas: 1\n", 1, "values of a chart"),
    "a list of patches": ("k8s/patch.yaml", "- {op: replace, path: /spec/replicas, value: 1}\n", 1, "JSON 6902"),
    "a list of patches in JSON": ("k8s/patch.json", '[\n\t{"op": "remove", "path": "/spec"}\n]\n', 1, "JSON 6902"),
    "an object in JSON": (
        "k8s/x.json", '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "namespace": "ml-serving"}}', 1, "ml-serving/x",
    ),
    "other JSON": ("package.json", '{"name": "x", "kind": "library"}', 0, "all 2 claims"),
    "what Flux deploys": (
        "flux/x.yaml", "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: x, namespace: flux}\n", 1,
        "an object that deploys others",
    ),
    "a kustomization without a kind": ("k8s/kustomization.yaml", "images: []\n", 1, "a kustomization without a namespace"),
    "a hostile name": ("k8s/'; $(touch x)\n.yaml", DEPLOYMENT.format(namespace="web", replicas=1), 0, "all 2 claims"),
}  # fmt: skip


def test_a_place_without_nights_leaves_the_lock_as_it_is(repository: Repository, tmp_path: Path) -> None:
    run("--make", nights(tmp_path / "nights"))
    first = (repository.root / "claims.lock").read_text()
    with pytest.raises(ConfigError, match="no night is kept there"):
        run("--make", str(tmp_path / "typo"))
    assert (repository.root / "claims.lock").read_text() == first


def test_claims_of_another_target_are_not_said_to_hold(repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("--make", nights(tmp_path / "nights"))
    monkeypatch.setattr(claims, "_live", lambda _file, _today: ("elsewhere", lambda _claim: []))
    assert run("--live", "targets/elsewhere.yaml") == (1, ["2 claims on other targets: not looked at"])


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("span", ["HEAD~1..HEAD", "HEAD~1...HEAD", "HEAD~1"])
def test_which_claims_a_change_voids(repository: Repository, tmp_path: Path, case: str, span: str) -> None:
    name, text, code, says = CASES[case]
    assert run("--make", nights(tmp_path / "nights"))[0] == 0
    repository.commit()
    repository.write(name, text)
    repository.commit()
    found, said = run("--changed", span)
    assert found == code, said
    assert says in "\n".join(said)
    if case == "an experiment":
        assert said[-1] == "run again: pytest -m chaos --chaos-target=targets/staging.yaml -k experiment-00"


def test_the_lock_is_written_from_nights_and_says_what_was_proven(repository: Repository, tmp_path: Path) -> None:
    code, said = run("--make", nights(tmp_path / "nights"))
    assert code == 0
    assert said[-1] == "written: claims.lock, 2 claims"
    assert "RTO" in said[0]
    first = (repository.root / "claims.lock").read_text()
    run("--make", str(tmp_path / "nights"))
    assert (repository.root / "claims.lock").read_text() == first
    assert run() == (0, [*(f"holds  {line}" for line in said[:-1]), "all 2 claims of claims.lock hold"])


WEB = DEPLOYMENT.format(namespace="web", replicas=2)
BARE = "kind: ConfigMap\nmetadata: {name: x}\n"
BUILT: dict[str, tuple[dict[str, str], str, str, int, str]] = {
    "an overlay replaces the namespace": (
        {"base/kustomization.yaml": "resources: [x.yaml]\n", "prod/kustomization.yaml": "namespace: ml-serving\nresources: [../base]\n"},
        "base/x.yaml", WEB, 1, "Deployment ml-serving/inference is another",
    ),
    "the outermost namespace counts": (
        {
            "base/kustomization.yaml": "namespace: web\nresources:\n- x.yaml\n",
            "prod/kustomization.yaml": "namespace: ml-serving\nresources: [../base]\n",
        },
        "base/x.yaml", BARE, 1, "ConfigMap ml-serving/x is another",
    ),
    "every kustomization sets another namespace": (
        {"base/kustomization.yaml": "namespace: web\nresources: [x.yaml]\n"}, "base/x.yaml", BARE, 0, "all 2 claims",
    ),
    "a list of patches of a kustomization elsewhere": (
        {"base/kustomization.yaml": "namespace: web\npatches: [{path: x.yaml, target: {kind: Deployment}}]\n"},
        "base/x.yaml", "- {op: remove, path: /spec}\n", 0, "all 2 claims",
    ),
    "a list of patches of ours": (
        {"base/kustomization.yaml": "namespace: ml-serving\npatches: [{path: x.yaml, target: {kind: Deployment}}]\n"},
        "base/x.yaml", "- {op: remove, path: /spec}\n", 1, "what is built with ml-serving/x.yaml is another",
    ),
    "a file of which a ConfigMap is made": (
        {"base/kustomization.yaml": "namespace: ml-serving\nconfigMapGenerator: [{name: g, files: [haproxy.cfg=x.cfg]}]\n"},
        "base/x.cfg", "global\n", 1, "what is built with ml-serving/x.cfg is another",
    ),
    "such a file without a namespace": (
        {"base/kustomization.yaml": "configMapGenerator: [{name: g, envs: [x.env]}]\n"},
        "base/x.env", "A=1\n", 1, "a part of a kustomization",
    ),
    "a transformer may set any namespace": (
        {"base/kustomization.yaml": "namespace: web\nresources: [x.yaml]\ntransformers: [t.yaml]\n"},
        "base/x.yaml", WEB, 1, "base has transformers, which may set any namespace",
    ),
    "the namespace is filled in later": (
        {"base/kustomization.yaml": "namespace: '${NAMESPACE}'\nresources: [x.yaml]\n"}, "base/x.yaml", WEB, 1, "which is filled in later",
    ),
    **{
        f"a path that is quoted: {path}": (
            {"base/kustomization.yaml": f"namespace: ml-serving\nresources: [{quote}{path}{quote}]\n"},
            f"base/{path}", WEB, 1, "Deployment ml-serving/inference is another",
        )
        for path, quote in (("my x.yaml", '"'), ("a=x.yaml", "'"), ("x,y.yaml", '"'), ("x[1].yaml", "'"), ("{x}.yaml", '"'))
    },
    "a path with a blank that is not quoted": (
        {"base/kustomization.yaml": "namespace: ml-serving\nresources:\n- my x.yaml\n"},
        "base/my x.yaml", WEB, 1, "Deployment ml-serving/inference is another",
    ),
    "a folder with a blank": (
        {
            "my base/kustomization.yaml": "resources: [x.yaml]\n",
            "prod/kustomization.yaml": 'namespace: ml-serving\nresources: ["../my base"]\n',
        },
        "my base/x.yaml", WEB, 1, "Deployment ml-serving/inference is another",
    ),
    "a file with a blank of which a ConfigMap is made": (
        {"base/kustomization.yaml": 'namespace: ml-serving\nconfigMapGenerator: [{name: g, files: ["haproxy.cfg=my x.cfg"]}]\n'},
        "base/my x.cfg", "global\n", 1, "what is built with ml-serving/my x.cfg is another",
    ),
    "what a template below its folder may name": (
        {"base/kustomization.yaml": "namespace: web\nresources:\n{{- range .files }}\n- {{ . }}\n{{- end }}\n"},
        "base/x.yaml", WEB, 1, "base is not plain YAML",
    ),
    "what a template elsewhere does not name": (
        {"base/kustomization.yaml": "namespace: web\nresources:\n{{- range .files }}\n- {{ . }}\n{{- end }}\n"},
        "other/x.yaml", WEB, 0, "all 2 claims",
    ),
    "two that name each other": (
        {"a/kustomization.yaml": "namespace: web\nresources: [../b, x.yaml]\n", "b/kustomization.yaml": "resources: [../a]\n"},
        "a/x.yaml", WEB, 0, "all 2 claims",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BUILT)
def test_which_claims_a_change_voids_through_kustomizations(repository: Repository, tmp_path: Path, case: str) -> None:
    before, name, text, code, says = BUILT[case]
    assert run("--make", nights(tmp_path / "nights"))[0] == 0
    for path, content in before.items():
        repository.write(path, content)
    repository.commit()
    repository.write(name, text)
    for span in ("HEAD", "HEAD~1..HEAD"):  # as it is now, not yet known to git; then as a commit
        if span != "HEAD":
            repository.commit()
        found, said = run("--changed", span)
        assert found == code, said
        assert says in "\n".join(said)


@pytest.mark.parametrize("span", ["no-such-branch", "--output=x", "main..nowhere"])
def test_a_range_that_is_none_is_refused(repository: Repository, span: str) -> None:
    with pytest.raises(ConfigError, match=r"write --changed as main\.\.\.HEAD"):
        changed_between(span, Path("experiments"))
    assert not (repository.root / "x").exists()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "cannot be read"),
        ("{", "not a lock file"),
        ('{"claims": [{}]}', "not a lock file of claims: claims.0"),
        ('{"claims": []}', "holds no claim"),
    ],
)
def test_a_lock_file_that_is_none_is_refused(repository: Repository, text: Any, says: str) -> None:
    if text is not None:
        repository.write("claims.lock", text)
    with pytest.raises(ConfigError, match=says):
        run()
