"""What the cases of bad input work with: sessions, the cluster with all rights, and things that stand in the way for a while."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
from kubernetes import client
from kubernetes.client.exceptions import ApiException

from history.errors import TargetRefused
from kube.client import Platform, connect
from target.target import load_target
from testing.platform.account import Account
from testing.platform.admission_server import address_towards, asked_at, configuration, denying
from testing.platform.targets import changed
from testing.runs.patient import patient
from testing.runs.real_sessions import Session, Suite
from testing.waiting import wait_for

GUARD, NOTHING, SHORT = "bench-guard", "bench-nothing", "bench-short"
KNOWN_S = 60.0  # for the API server to take notice of a quota, a webhook, an account


@dataclass(frozen=True, slots=True)
class Stage:
    """Where a case is played."""

    suite: Suite
    platform: Platform
    target_file: Path  # with all rights
    folder: Path

    @property
    def namespace(self) -> str:
        """The suite's own namespace."""
        return self.platform.target.suite.namespace

    def start(self, experiment: str, profile: str = "brief", **target: object) -> Session:
        """Start a session of one experiment, with changes to the target file."""
        patient(self.suite, experiment)
        return self.suite.start(f"--chaos-profile={profile}", own=True, target=self.target(**target))

    def target(self, **changes: object) -> Path:
        """Write the target file with changes; return its path."""
        file = self.folder / "target.yaml"
        file.write_text(yaml.safe_dump(changed(yaml.safe_load(self.target_file.read_text()), **changes)))
        return file

    def kubeconfig(self, change: Callable[[Any], None]) -> str:
        """Write the administrator's kubeconfig with a change; return its path."""
        config = yaml.safe_load(Path(self.platform.region.kubeconfig or "").read_text())
        change(config)
        file = self.folder / "kubeconfig"
        file.write_text(yaml.safe_dump(config))
        return str(file)

    def is_refused(self, **target: object) -> bool:
        """Tell whether the API server turns a target file's account away."""
        try:
            connect(load_target(self.target(**target)))
        except TargetRefused:
            return True
        return False

    def pods_are_denied(self) -> bool:
        """Tell whether no pod may be made in the suite's namespace now."""
        body: Any = {"metadata": {"name": "bench-try"}, "spec": {"containers": [{"name": "a", "image": "x"}]}}
        try:
            self.platform.core.create_namespaced_pod(self.namespace, body, dry_run="All")
        except ApiException:
            return True
        return False


@contextmanager
def account(stage: Stage) -> Iterator[tuple[str, Callable[[], None]]]:
    """Make an account; return its kubeconfig, and how to withdraw it and wait until the API server turns it away."""
    made = Account(stage.platform, "bench-leaver", stage.folder)

    def leave() -> None:
        made.withdraw()
        wait_for(lambda: stage.is_refused(kubeconfig=made.kubeconfig), "the token is worth nothing any more", KNOWN_S)

    with closing(made):
        yield made.kubeconfig, leave


@contextmanager
def no_pods_by_quota(stage: Stage) -> Iterator[None]:
    """Let a quota allow no pod in the suite's namespace."""
    core = stage.platform.core
    body: Any = {"metadata": {"name": NOTHING}, "spec": {"hard": {"pods": "0"}}}
    core.create_namespaced_resource_quota(stage.namespace, body)
    try:
        wait_for(stage.pods_are_denied, "the quota is in force", KNOWN_S)
        yield
    finally:
        core.delete_namespaced_resource_quota(NOTHING, stage.namespace)
        wait_for(lambda: not stage.pods_are_denied(), "the quota is forgotten", KNOWN_S)


@contextmanager
def no_pods_by_webhook(stage: Stage) -> Iterator[None]:
    """Let a webhook deny every pod in the suite's namespace."""
    api = client.AdmissionregistrationV1Api(stage.platform.api)
    server = urlsplit(stage.platform.region.server)
    address = address_towards(str(server.hostname), server.port or 443)
    with denying(stage.folder, address) as (url, ca):
        body: Any = configuration(GUARD, stage.namespace, asked_at(url, ca))
        api.create_validating_webhook_configuration(body)
        try:
            wait_for(stage.pods_are_denied, "the webhook is asked", KNOWN_S)
            yield
        finally:
            api.delete_validating_webhook_configuration(GUARD)
            wait_for(lambda: not stage.pods_are_denied(), "the webhook is forgotten", KNOWN_S)


@contextmanager
def short_lived_namespace(stage: Stage) -> Iterator[str]:
    """Make a consenting namespace with nothing in it; whoever uses it may delete it."""
    key, _, value = stage.platform.target.consent_label.partition("=")
    body: Any = {"metadata": {"name": SHORT, "labels": {key: value}}}
    stage.platform.core.create_namespace(body)
    try:
        yield SHORT
    finally:
        with suppress(ApiException):
            stage.platform.core.delete_namespace(SHORT)
