"""Secrets planted wherever a real run could meet them are in nothing that it writes, says or hands on; markup is shown, not obeyed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest
import yaml
from kubernetes import client

from history.schema import EventKind
from kube.client import Platform
from testing.platform.account import Account
from testing.runs.patient import patient
from testing.runs.real_sessions import LOCAL, Suite
from testing.waiting import wait_for

NAME = "leaky"
SCRIPT = "<script>alert('planted-markup')</script>"
IMAGE = '"><img src=x onerror=alert(1)>| [click](javascript:alert(1))'
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJwbGFudGVkIjoiYSJ9.c2lnbmF0dXJl"
OF_THE_SUITE = {
    "AWS_SECRET_ACCESS_KEY": "planted-s3-of-the-suite",
    "REDIS_PASSWORD": "planted-redis-of-the-suite",
    "SERVING_API_KEY": "planted-key",
}
OF_THE_POD = {
    "S3_SECRET_KEY": "planted-s3-of-the-pod",
    "REDIS_URL": "redis://default:planted-redis-of-the-pod@redis:6379/0",
    "MARKUP": SCRIPT,
}
SAID = (  # one log line each
    "redis: connection to redis://default:planted-in-a-url@redis:6379/0 refused",
    "s3: AWS_SECRET_ACCESS_KEY=planted-in-a-line rejected",
    '{"level": "error", "headers": {"Authorization": "Bearer planted-bearer", "x-api-key": "planted-header"}}',
    f"who sent {JWT}?",
    f"{SCRIPT} {IMAGE}",
)
PROGRAM = "import os,time; print(os.environ['LINES'], flush=True); time.sleep(3600)"


@pytest.fixture
def leaky(platform: Platform) -> Iterator[dict[str, Any]]:
    """Deploy two pods that log secrets and markup and carry them; return the role that names them."""
    role = platform.target.role("decoy")
    found: Any = platform.apps.read_namespaced_deployment("decoy", role.namespace)
    made = platform.api.sanitize_for_serialization(found)
    template = made["spec"]["template"]
    environment = {**OF_THE_POD, "LINES": "\n".join(SAID)}
    template["metadata"] = {
        "labels": {"app": NAME},
        "annotations": {"note": f"{SCRIPT} password=planted-in-a-note", "token": "planted-note"},
    }
    template["spec"]["containers"][0] |= {
        "command": ["/usr/bin/python3", "-c", PROGRAM], "env": [{"name": name, "value": value} for name, value in environment.items()],
    }  # fmt: skip
    spec = {"replicas": 2, "selector": {"matchLabels": {"app": NAME}}, "template": template}
    platform.apps.create_namespaced_deployment(role.namespace, {"metadata": {"name": NAME}, "spec": spec})
    yield {"namespace": role.namespace, "selector": f"app={NAME}", "controller": {"kind": "Deployment", "name": NAME}}
    platform.apps.delete_namespaced_deployment(NAME, role.namespace)
    wait_for(lambda: not platform.core.list_namespaced_pod(role.namespace, label_selector=f"app={NAME}").items, "the pods have gone")


@pytest.fixture
def account(platform: Platform, tmp_path: Path) -> Iterator[Account]:
    made = Account(platform, "planted-account", tmp_path)
    yield made
    made.close()


class CommandLines(threading.Thread):
    """Reads the command lines of this machine's processes until it is ended."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.seen: set[str] = set()
        self._end = threading.Event()

    def run(self) -> None:
        while not self._end.wait(0.1):
            for file in Path("/proc").glob("[0-9]*/cmdline"):
                with suppress(OSError):
                    self.seen.add(file.read_text(errors="replace"))

    def end(self) -> set[str]:
        self._end.set()
        self.join()
        return self.seen


def test_what_a_real_run_writes_says_and_hands_on_holds_no_secret(
    suite: Suite, platform: Platform, leaky: dict[str, Any], account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in OF_THE_SUITE.items():
        monkeypatch.setenv(name, value)
    raw = yaml.safe_load(LOCAL.read_text())
    raw["roles"]["decoy"] = leaky
    raw["workloads"]["realtime-inference"]["load"]["api_key_env"] = "SERVING_API_KEY"
    target = suite.target(roles=raw["roles"], workloads=raw["workloads"], kubeconfig=account.kubeconfig)
    watching = CommandLines()
    watching.start()
    patient(suite, "control/sham-control", hold="2s")
    session = suite.start("--chaos-profile=brief", own=True, target=target).until(EventKind.LOAD_START)
    event_with_a_secret(platform, leaky["namespace"])
    session.until(EventKind.FAULT_CONFIRMED)
    in_the_cluster = handed_on(platform)
    session.end()  # whatever its verdict
    written = everything(session.out) | {"terminal": session.said, "cluster": in_the_cluster, "processes": "\n".join(watching.end())}
    secrets = (
        *OF_THE_SUITE.values(),
        account.token,
        JWT,
        "planted-s3",
        "planted-redis",
        "planted-in-a",
        "planted-bearer",
        "planted-header",
    )
    for where, text in written.items():
        assert not [secret for secret in secrets if secret in text], where
    assert any("[redacted]" in text and "who sent" in text for name, text in written.items() if name.endswith(".log"))  # it was there
    shown(session.out / "latest")


def event_with_a_secret(platform: Platform, namespace: str) -> None:
    """Let Kubernetes say something about a pod that holds a secret and markup."""
    [pod, *_] = platform.core.list_namespaced_pod(namespace, label_selector=f"app={NAME}").items
    about = client.V1ObjectReference(kind="Pod", name=pod.metadata.name, namespace=namespace, uid=pod.metadata.uid)
    now = datetime.now(UTC)
    body = client.CoreV1Event(
        metadata=client.V1ObjectMeta(generate_name="planted-"), involved_object=about, type="Warning", reason="Failed",
        message=f"pull https://me:planted-in-a-pull@registry.invalid failed {SCRIPT} {IMAGE}",
        first_timestamp=now, last_timestamp=now, count=1,
    )  # fmt: skip
    platform.core.create_namespaced_event(namespace, body)


def handed_on(platform: Platform) -> str:
    """Return the journal, the leases, Jobs and pods of the suite's namespace as they stand in the cluster."""
    own = platform.target.suite.namespace
    found = [
        platform.core.list_namespaced_config_map(own), platform.coordination.list_namespaced_lease(own),
        platform.batch.list_namespaced_job(own), platform.core.list_namespaced_pod(own),
    ]  # fmt: skip
    text = orjson.dumps([platform.api.sanitize_for_serialization(one) for one in found]).decode()
    assert "aftershock-run-" in text
    assert "aftershock-namespace-" in text
    return text


def everything(folder: Path) -> dict[str, str]:
    """Return the text of every file below a folder; tables as JSON."""
    files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
    return {str(file): text_of(file) for file in files}


def text_of(file: Path) -> str:
    if file.suffix == ".parquet":
        return pl.read_parquet(file).write_json()
    return file.read_text(errors="replace")


def shown(latest: Path) -> None:
    """The report shows markup as text: nothing of it is an element."""
    page, summary = (latest / "index.html").read_text(), (latest / "summary.md").read_text()
    for text in (page, summary):
        assert "<script>alert" not in text
        assert "<img src=x" not in text
    assert "](javascript:" not in summary
