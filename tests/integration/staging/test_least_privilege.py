"""The printed rights are the least: with all of them preflight passes; without any one of them it refuses and names it.

On the API server of the staging cluster: every verb of every printed rule is a grant of its own, and account N has all grants but the
Nth (impersonated, so that no token is made for each).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.state import State
from history.errors import TargetRefused
from kube import permissions
from kube.client import checked_configuration, platform_over
from kube.connection.bounded_client import BoundedClient
from kube.permissions import Permission
from runner.experiment.experiment import read_experiment
from runner.preflight.checks import asking, check_access, faults_of
from runner.request import Request
from runner.run.preflight import run_preflight
from runner.stop import Stop
from target.target import load_target
from testing.platform.cluster_driver import ROOT
from testing.platform.staging import NAME, SUITE_NAMESPACE, Staging
from testing.platform.targets import in_region
from testing.runs.runner_parts import Sent
from testing.waiting import wait_for

NAMES = ("serving/replica-killed", "serving/engine-frozen", "serving/node-drained", "control/null-control", "control/sham-control")
FILES = tuple(ROOT / "experiments" / f"{name}.yaml" for name in NAMES)
GROUP = "rbac.authorization.k8s.io"
ALL, WITHOUT = "with-all", "without-{}"
LABEL = {"acme.example/test": "least-privilege"}
Manifest = dict[str, Any]


def grants(printed: list[Manifest]) -> list[Permission]:
    """Return every verb of every rule of the printed manifests."""
    return [
        Permission(verb, resource, group, manifest["metadata"].get("namespace"))
        for manifest in printed
        for rule in manifest.get("rules", ())
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    ]


def manifests(number: int, grant: Permission, subjects: list[str]) -> list[Manifest]:
    """Return a role with one grant, bound to all of ``subjects``."""
    kind = "Role" if grant.namespace else "ClusterRole"
    meta = {"name": f"least-{number}", "labels": LABEL} | ({"namespace": grant.namespace} if grant.namespace else {})
    rule = {"apiGroups": [grant.group], "resources": [grant.resource], "verbs": [grant.verb]}
    bound = [{"kind": "ServiceAccount", "name": name, "namespace": SUITE_NAMESPACE} for name in subjects]
    role = {"apiVersion": f"{GROUP}/v1", "kind": kind, "metadata": meta, "rules": [rule]}
    reference = {"apiGroup": GROUP, "kind": kind, "name": meta["name"]}
    return [role, {"apiVersion": f"{GROUP}/v1", "kind": f"{kind}Binding", "metadata": meta, "subjects": bound, "roleRef": reference}]


@dataclass(frozen=True, slots=True)
class Accounts:
    """One account with all grants, and one a grant without it."""

    staging: Staging
    grants: list[Permission]
    target_file: Path

    def client(self, account: str) -> BoundedClient:
        """Return a client that is ``account`` to the API server."""
        admin = in_region(load_target(self.target_file), kubeconfig=str(State(NAME).kubeconfig), context=f"aftershock-{NAME}")
        made = BoundedClient(checked_configuration(admin, "default"))
        made.set_default_header("Impersonate-User", f"system:serviceaccount:{SUITE_NAMESPACE}:{account}")
        return made


@pytest.fixture(scope="module")
def accounts(staging: Staging, tmp_path_factory: pytest.TempPathFactory) -> Accounts:
    folder = tmp_path_factory.mktemp("least")
    found = grants(staging.printed_rbac(*FILES))
    names = [WITHOUT.format(number) for number in range(len(found))]
    parts: list[Manifest] = [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": ALL, "namespace": SUITE_NAMESPACE, "labels": LABEL}}
    ]
    for number, grant in enumerate(found):
        parts += manifests(number, grant, [ALL, *(name for name in names if name != WITHOUT.format(number))])
    staging.apply(yaml.safe_dump_all(parts))
    token = staging.cluster.kubectl("-n", SUITE_NAMESPACE, "create", "token", ALL).strip()
    (folder / "kubeconfig").write_text(yaml.safe_dump(staging.kubeconfig(token)))
    target = yaml.safe_load(staging.target_file.read_text()) | {"kubeconfig": str(folder / "kubeconfig")}
    (folder / "target.yaml").write_text(yaml.safe_dump(target))
    made = Accounts(staging, found, folder / "target.yaml")
    platform = platform_over(load_target(made.target_file), made.client(ALL))
    wait_for(lambda: not permissions.missing(platform, found), "the API server knows the roles", 30)
    return made  # all of it goes with the cluster


def test_with_all_that_is_printed_a_dry_run_passes(accounts: Accounts, tmp_path: Path) -> None:
    for name, file in zip(NAMES, FILES, strict=True):
        request = Request(
            run_id="20261121-120000-dry-1-ab12", run_dir=tmp_path, experiment=file, experiments_root=ROOT / "experiments",
            target=accounts.target_file, seed=1, profile="smoke", dry_run=True,
        )  # fmt: skip
        sent = Sent()
        with ExitStack() as stack:
            checked = run_preflight(request, sent, Stop(), stack)
        assert bool(checked.targets) == ("null" not in name)


def test_without_any_one_of_them_preflight_refuses_and_names_it(accounts: Accounts) -> None:
    target = load_target(accounts.target_file)
    experiments = [read_experiment(file, ROOT / "experiments") for file in FILES]

    def refusal(number: int) -> str:
        platform = platform_over(target, accounts.client(WITHOUT.format(number)))
        faults = [fault for experiment in experiments for fault in faults_of(experiment, platform)]
        try:
            check_access(faults, platform)
        except TargetRefused as refused:
            return str(refused)
        return ""

    assert len(accounts.grants) > 40
    with ThreadPoolExecutor(4) as pool:
        said = list(pool.map(refusal, range(len(accounts.grants))))
    instead = asking(target)  # another way to ask replicas is tried in its place
    assert [text for grant, text in zip(accounts.grants, said, strict=True) if grant in instead] == [""] * len(instead)
    for grant, text in zip(accounts.grants, said, strict=True):
        if grant in instead:
            continue
        lacking = text.partition(" may not ")[2].removesuffix("; grant these by a Role or ClusterRole").split("; ")
        assert permissions.sentence(grant) in lacking, text
        whole = permissions.sentence(replace(grant, namespace=None)).removesuffix(" in the whole cluster")
        assert all(one.startswith(whole) for one in lacking), text  # what it covers, and nothing that another grant gives
