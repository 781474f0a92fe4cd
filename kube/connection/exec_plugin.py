"""Credentials that a program of the user makes: client-go's exec plugins (aws eks get-token, gke-gcloud-auth-plugin, kubelogin …).

The protocol: https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins

kubernetes 37.0.1 runs plugins too, but logs what fails and goes on as nobody, waits for ever, and takes what lives shorter than five
minutes for expired, so that it runs the plugin for every request.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from kube.connection.errors import NoCredentials
from kube.connection.kubeconfig import Entry

LIMIT_S = 30.0
MOST_SAID = 300  # characters of what a plugin complains
VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")
OF_CLUSTER = "client.authentication.k8s.io/exec"


class _Variable(BaseModel):
    name: str
    value: str


class Plugin(BaseModel):
    """The key ``exec`` of a user, as far as it matters where nobody sits at a terminal."""

    model_config = ConfigDict(frozen=True)
    command: str = Field(min_length=1)
    args: tuple[str, ...] | None = None
    env: tuple[_Variable, ...] | None = None
    api_version: str = Field(alias="apiVersion")
    install_hint: str = Field(default="", alias="installHint")
    interactive_mode: str = Field(default="IfAvailable", alias="interactiveMode")
    provide_cluster_info: bool = Field(default=False, alias="provideClusterInfo")


class Status(BaseModel):
    """What a plugin hands over: a token, or a certificate with its key (PEM), and until when it is valid."""

    token: str | None = None
    certificate: str | None = Field(default=None, alias="clientCertificateData")
    key: str | None = Field(default=None, alias="clientKeyData")
    expires: AwareDatetime | None = Field(default=None, alias="expirationTimestamp")


class _Answer(BaseModel):
    api_version: str = Field(alias="apiVersion")
    status: Status


@dataclass(frozen=True, slots=True)
class Command:
    """A plugin that can be run, in an environment of its own."""

    plugin: Plugin
    environment: dict[str, str]

    @property
    def shown(self) -> str:
        """The command as a person would type it."""
        return shlex.join([self.plugin.command, *(self.plugin.args or ())])

    def run(self) -> Status:
        """Run it once. Raises NoCredentials, in the plugin's own words where it failed."""
        words = [self.plugin.command, *(self.plugin.args or ())]
        pipe = subprocess.PIPE
        try:
            process = subprocess.Popen(
                words, env=self.environment, start_new_session=True, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe
            )
        except (OSError, ValueError) as error:
            hint = f"; {self.plugin.install_hint.strip()}" if self.plugin.install_hint.strip() else "; install it, or correct the command"
            raise NoCredentials(f"exec plugin {self.shown}: cannot be started ({error}){hint}") from error
        try:
            said, complained = process.communicate(timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            _, complained = _killed(process)
            waits = f"exec plugin {self.shown}: no answer within {LIMIT_S:g} s{_quoted(complained)}"
            raise NoCredentials(f"{waits}; run it in a terminal, it may be waiting for a log-in") from None
        if process.returncode:
            raise NoCredentials(
                f"exec plugin {self.shown}: ended with exit code {process.returncode}{_quoted(complained)}; run it in a terminal"
            )
        return self._status(said)

    def _status(self, said: bytes) -> Status:
        """Return what it handed over; nothing of it is shown, it may be a credential."""
        try:
            answer = _Answer.model_validate_json(said)
        except ValidationError as error:
            wrong = ".".join(str(key) for key in error.errors()[0]["loc"]) or "no JSON"
            raise NoCredentials(f"exec plugin {self.shown}: what it printed is no ExecCredential ({wrong}); run it in a terminal") from None
        if answer.api_version != self.plugin.api_version:
            versions = f"it speaks {answer.api_version}, the kubeconfig says {self.plugin.api_version}"
            raise NoCredentials(f"exec plugin {self.shown}: {versions}; correct apiVersion")
        status = answer.status
        if not status.token and not (status.certificate and status.key):
            raise NoCredentials(f"exec plugin {self.shown}: it handed over no token and no certificate with its key; run it in a terminal")
        return status


def command_of(entry: Entry, environment: dict[str, str]) -> Command:
    """Return the plugin of a context's user. Raises NoCredentials: the key ``exec`` is wrong, or asks for a person."""
    try:
        plugin = Plugin.model_validate(entry.user["exec"])
    except ValidationError as error:
        first = error.errors()[0]
        raise NoCredentials(f"key exec of the user: {'.'.join(str(key) for key in first['loc'])}: {first['msg']}; correct it") from None
    if plugin.api_version not in VERSIONS:
        raise NoCredentials(f"key exec of the user: apiVersion {plugin.api_version!r} is none of {', '.join(VERSIONS)}; update the plugin")
    if plugin.interactive_mode == "Always":
        raise NoCredentials(
            f"exec plugin {plugin.command}: interactiveMode Always asks for a person, and nobody is there; use another account"
        )
    own = {one.name: one.value for one in plugin.env or ()}
    spec: dict[str, Any] = {"interactive": False} | ({"cluster": _cluster(entry)} if plugin.provide_cluster_info else {})
    info = json.dumps({"apiVersion": plugin.api_version, "kind": "ExecCredential", "spec": spec})
    return Command(plugin, environment | own | {"KUBERNETES_EXEC_INFO": info})


def _cluster(entry: Entry) -> dict[str, Any]:
    """Return what a plugin may know of the cluster, and the configuration that the cluster holds for it."""
    known = ("server", "tls-server-name", "insecure-skip-tls-verify", "certificate-authority-data", "proxy-url")
    extensions = entry.cluster.get("extensions") or []
    found = [one.get("extension") for one in extensions if isinstance(one, dict) and one.get("name") == OF_CLUSTER]
    return {key: entry.cluster[key] for key in known if key in entry.cluster} | ({"config": found[0]} if found else {})


def _killed(process: subprocess.Popen[bytes]) -> tuple[bytes, bytes]:
    """Kill a plugin and what it started; return what they had said."""
    os.killpg(process.pid, signal.SIGKILL)
    return process.communicate()


def _quoted(complained: bytes) -> str:
    text = " ".join(complained.decode(errors="replace").split())
    return f": {text[-MOST_SAID:]}" if text else ", and said nothing"


def seconds_left(expires: datetime | None) -> float | None:
    """Return how long a credential is still valid (s, below 0: not any more); None: nobody says."""
    return None if expires is None else (expires - datetime.now(UTC)).total_seconds()
