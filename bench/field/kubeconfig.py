"""Kubeconfigs: what is sent to an API server on loopback, what a plugin's failure is called, and what nobody may see."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from urllib3.exceptions import SSLError

from bench.field.cases import Seen, case
from history.errors import TargetRefused
from kube.answers import explained
from kube.client import connect
from kube.connection import exec_plugin
from kube.connection.errors import KubeconfigRefused
from kube.connection.kubeconfig import read_entry
from runner.redact import of_target
from target.secrets.hiding import redact_text
from target.secrets.known import remember
from testing.platform.kube_api import CONTEXT, FAILS, Answer, KubeApi, Plugin, failure, hands_over, kube_api, kubeconfig, write_target
from testing.runs.pytest_ways import session

PART = "kubeconfig"
NOWHERE = "http://kubernetes.invalid:6443"
LIFE = timedelta(minutes=4)
TOKEN = "an-opaque-token-of-a-plugin"  # noqa: S105


def refusal(folder: Path, api: KubeApi, user: dict[str, Any] | None = None, **cluster: object) -> str:
    """Return why a target is refused, empty if it is not."""
    try:
        connect(write_target(folder, api.url, user, **cluster))
    except TargetRefused as error:
        return str(error).replace(str(folder), "").replace(api.url, "URL")
    return ""


def refused(given: str, right: str, words: str, user: Callable[[Path], dict[str, Any]] | None = None, **cluster: object) -> None:
    """Register a kubeconfig that is refused, with ``words`` in the sentence."""

    @case(PART, given, right)
    def run() -> Seen:
        with TemporaryDirectory() as name, kube_api() as api:
            said = refusal(Path(name), api, user(Path(name)) if user else None, **cluster)
        return Seen(said or "not refused", words in said and "\n" not in said)


refused(
    "exec plugin fails (SSO session has expired)",
    "the plugin's words",
    "SSO session has expired",
    lambda folder: Plugin(folder, FAILS).user,
)
refused("`auth-provider: gcp`", "refused, with what took its place", "gke-gcloud-auth-plugin", lambda _: {"auth-provider": {"name": "gcp"}})
refused("`proxy-url: nothing`", "one sentence", "is no URL of a proxy", None, proxy_url="nothing")
refused(
    '`insecure-skip-tls-verify: "false"`', "refused, not taken for true", "must be true or false, without quotes", None,
    insecure_skip_tls_verify="false",
)  # fmt: skip


@case(PART, "one user twice in a file, with two tokens", "refused, as kubectl does")
def name_twice() -> Seen:
    """Let a merged file hold two entries of one name."""
    with TemporaryDirectory() as name:
        file, document = Path(name) / "config", kubeconfig(NOWHERE)
        document["users"] *= 2
        file.write_text(yaml.safe_dump(document))
        try:
            said = str(read_entry(str(file), CONTEXT))
        except KubeconfigRefused as error:
            said = str(error).replace(name, "")
    return Seen(said, "users has the name 'of-staging' twice" in said)


@case(PART, "exec plugin hangs", "a limit")
def hanging_plugin() -> Seen:
    """Shorten the limit, which is the same code."""
    limit_s, exec_plugin.LIMIT_S = exec_plugin.LIMIT_S, 1.0
    try:
        with TemporaryDirectory() as name, kube_api() as api:
            said = refusal(Path(name), api, Plugin(Path(name), "time.sleep(600)\n").user)
    finally:
        exec_plugin.LIMIT_S = limit_s
    return Seen(f"limit {limit_s:g} s; of 1 s: {said}", "no answer within 1 s" in said)


@case(PART, "tokens that live 4 minutes, 100 requests", "one refresh when due")
def short_lived_tokens() -> Seen:
    """Count a plugin's runs."""
    with TemporaryDirectory() as name, kube_api() as api:
        folder = Path(name)
        plugin = Plugin(folder, hands_over(TOKEN, expirationTimestamp=(datetime.now(UTC) + LIFE).isoformat()))
        platform = connect(write_target(folder, api.url, plugin.user))
        for _ in range(100):
            platform.pods_in("llm")
        sent = {value for asked in api.asked for value in asked.values("authorization")}
        runs = plugin.runs
    return Seen(f"{len(api.asked)} requests, {runs} runs of the plugin", runs == 1 and sent == {f"Bearer {TOKEN}"})


@case(PART, "`tokenFile` rotated; with a trailing newline", "re-read, stripped; nothing unredacted")
def rotated_file() -> Seen:
    """Write another token between two requests."""
    with TemporaryDirectory() as name, kube_api() as api:
        file = Path(name) / "token"
        file.write_text("first-token-of-a-file\n")
        platform = connect(write_target(Path(name), api.url, {"tokenFile": "token"}))
        file.write_text("second-token-of-a-file\n")
        platform.pods_in("llm")
        sent = [value for asked in api.asked for value in asked.values("authorization")]
    shown = redact_text(" ".join(sent))
    return Seen(f"{len(set(sent))} tokens sent; shown: {shown}", sent[-1] == "Bearer second-token-of-a-file" and "-token-of" not in shown)


@case(PART, "`as:` and `as-groups:`", "sent")
def impersonation() -> Seen:
    """Look at every request."""
    with TemporaryDirectory() as name, kube_api() as api:
        user = {"token": TOKEN, "as": "chaos", "as-groups": ["sre", "ml"]}
        connect(write_target(Path(name), api.url, user)).pods_in("llm")
    sent = [(asked.values("impersonate-user"), asked.values("impersonate-group")) for asked in api.asked]
    return Seen(f"{len(sent)} requests with {sent[0]}", all(one == (["chaos"], ["sre", "ml"]) for one in sent))


@case(PART, "KUBECONFIG=a:b", "secrets of both known")
def list_of_files() -> Seen:
    """Let two files of a list hold a token each, the second's target be meant."""
    before = os.environ.get("KUBECONFIG")
    with TemporaryDirectory() as name, kube_api() as api:
        folder, texts = Path(name), {"a": "first-planted-token", "b": "second-planted-token"}
        for context, token in texts.items():
            (folder / context).write_text(yaml.safe_dump(kubeconfig(api.url, {"token": token}, context)))
        target = write_target(folder, api.url)
        region = target.only_region().model_copy(update={"kubeconfig": None, "context": "b"})
        target = target.model_copy(update={"regions": {"default": region}})
        os.environ["KUBECONFIG"] = f"{folder / 'a'}:{folder / 'b'}"
        try:
            connect(target)
            remember(of_target(target, os.environ))
        finally:
            os.environ.pop("KUBECONFIG")
            os.environ |= {"KUBECONFIG": before} if before else {}
    shown = redact_text(" ".join(texts.values()))
    return Seen(f"sent {redact_text(str(api.sent('authorization')))}; both shown as {shown}", "planted" not in shown)


@case(PART, "`proxy-url: http://me:…@proxy`, a server that only it reaches", "reached through it, the password neither lost nor shown")
def through_proxy() -> Seen:
    """Let the API server itself be the proxy: what it is asked for then is a whole URL."""
    with TemporaryDirectory() as name, kube_api() as api:
        proxy = api.url.replace("//", "//me:planted-proxy-password@")
        target = write_target(Path(name), NOWHERE, proxy_url=proxy)
        connect(target)
        remember(of_target(target, {}))
        [shown] = api.sent("proxy-authorization")
    said = f"asked for {api.asked[-1].path}, {redact_text(shown)}"
    return Seen(said, api.asked[-1].path.startswith(NOWHERE) and "Basic [redacted]" in said)


@case(PART, "kubeconfig with a tab", "exit code 11, one sentence")
def tab() -> Seen:
    """Carry out a whole session."""
    with TemporaryDirectory() as name:
        file = Path(name) / "kubeconfig"
        file.write_text("apiVersion: v1\n\tkind: Config\n")
        done = session(Path(name), "--chaos-dry-run", kubeconfig=str(file))
    said = next((line for line in done.stdout.splitlines() if "kubeconfig:2" in line), "nothing").replace(name, "")
    return Seen(f"exit code {done.returncode}: {said}", done.returncode == 11 and "not valid YAML" in said)


def patience(status: int) -> None:
    """Register an API server that asks for a second's patience, once."""

    @case(PART, f"a single {status} from the API server", "repeated after Retry-After")
    def run() -> Seen:
        with TemporaryDirectory() as name, kube_api() as api:
            left: list[Answer] = [failure(status, "too many requests", Retry_After="1")]
            api.answer = lambda _: left.pop() if left else None
            said = refusal(Path(name), api)
        return Seen(f"{len(api.asked)} requests; {said or 'goes on'}", not said and len(api.asked) == 2)


for asks in (429, 503):
    patience(asks)


@case(PART, "a gateway before the API server that writes `Date: -1`", "goes on: nothing is known of its clock")
def no_date() -> Seen:
    """Connect."""
    with TemporaryDirectory() as name, kube_api() as api:
        api.date = "-1"
        offset_s = connect(write_target(Path(name), api.url)).clock_offset_s
    return Seen(f"offset {offset_s:g} s", offset_s == 0)


@case(PART, "an API server whose certificate has expired", "said, and not that its CA is another")
def expired() -> Seen:
    """Explain what OpenSSL says."""
    said = explained(SSLError("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate has expired (_ssl.c:1006)"))
    return Seen(said, "its certificate has expired" in said and "not from the CA" not in said)
