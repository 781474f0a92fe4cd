"""What is sent to prove who asks, made anew when it is due: a fixed token, a file that is rotated, or an exec plugin.

One renewal at a time, whichever threads ask; while the old credential is valid, nobody waits for the new one.
"""

from __future__ import annotations

import atexit
import logging
import os
import tempfile
import threading
import time
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from kube.connection.auth_provider import token_of
from kube.connection.errors import NoCredentials
from kube.connection.exec_plugin import Command, Status, command_of, seconds_left
from kube.connection.kubeconfig import Entry
from target.secrets.known import remember

LOG = logging.getLogger(__name__)
LEAD_S = 60.0  # before its end a credential is made anew, or a fifth of its life before, if that is shorter
LEAD_SHARE = 0.2
AGAIN_S = 5.0  # a plugin that failed, or whose credential is refused, is not run again sooner


class Credentials(Protocol):
    """What a request is sent with."""

    @property
    def certificate(self) -> tuple[str, str] | None:
        """Files of a client certificate and its key, whose content is renewed."""

    def header(self) -> str:
        """Return the value of the header ``Authorization``, empty: none. Raises NoCredentials."""

    def refused(self, header: str) -> None:
        """Take note that the API server does not accept ``header`` any more."""


@dataclass(frozen=True, slots=True)
class Fixed:
    """Always the same, or nothing."""

    value: str = ""
    certificate: tuple[str, str] | None = None

    def header(self) -> str:
        """Return it."""
        return self.value

    def refused(self, header: str) -> None:
        """Do nothing: there is no other."""


@dataclass(slots=True)
class TokenFile:
    """A file that somebody else rotates: read for every request; what was read last counts while it is being replaced."""

    path: Path
    last: str = ""
    certificate: tuple[str, str] | None = None

    def header(self) -> str:
        """Return the token that stands in the file now."""
        why = "it is empty"
        try:
            if (token := self.path.read_text().strip()) and token != self.last:
                self.last = sendable(token, f"tokenFile {self.path}")
        except (OSError, UnicodeDecodeError) as error:
            why = str(error)
        if not self.last:
            raise NoCredentials(f"tokenFile {self.path}: no token in it ({why}); correct tokenFile, or see who writes it")
        return f"Bearer {self.last}"

    def refused(self, header: str) -> None:
        """Do nothing: the file is read again for every request."""


@dataclass(slots=True)
class Exec:
    """What an exec plugin hands over, kept until it is due."""

    command: Command
    now_s: Callable[[], float] = time.monotonic
    certificate: tuple[str, str] | None = None
    _token: str = ""
    _due_s: float | None = 0.0  # None: never
    _ends_s: float | None = 0.0
    _tried_s: float = -AGAIN_S
    _failed: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def header(self) -> str:
        """Return the token, empty where the plugin made a certificate."""
        if self._is(self._due_s) and self._lock.acquire(blocking=self._is(self._ends_s)):
            try:
                self._renew()
            finally:
                self._lock.release()
        return f"Bearer {self._token}" if self._token else ""

    def refused(self, header: str) -> None:
        """Let it be renewed, unless that has just been done."""
        if header == f"Bearer {self._token}":
            self._due_s = self._ends_s = 0.0

    def _is(self, time_s: float | None) -> bool:
        return time_s is not None and self.now_s() >= time_s

    def _renew(self) -> None:
        """Run the plugin, unless another thread has done so; where that fails, what is still valid is kept."""
        if not self._is(self._due_s):
            return
        if self.now_s() - self._tried_s >= AGAIN_S:
            self._failed = ""
            try:
                self._keep(self.command.run())
            except (NoCredentials, OSError) as error:  # no place for its certificate: a folder of temporary files that is read-only
                self._failed = str(error)
                if not self._is(self._ends_s):
                    LOG.warning("%s; the credential of before is still valid, the plugin is run again in %g s", error, AGAIN_S)
            self._tried_s = self.now_s()
        if self._failed and self._is(self._ends_s):
            raise NoCredentials(self._failed)

    def _keep(self, status: Status) -> None:
        remember(part for part in (status.token, status.key) if part)
        self._token = sendable(status.token or "", f"exec plugin {self.command.shown}")
        if status.certificate and status.key:
            self.certificate = self.certificate or (_private_file(), _private_file())
            for path, text in zip(self.certificate, (status.certificate, status.key), strict=True):
                Path(path).write_text(text)
        left_s, now_s = seconds_left(status.expires), self.now_s()
        self._ends_s = None if left_s is None else now_s + left_s
        self._due_s = None if left_s is None else now_s + left_s - min(LEAD_S, LEAD_SHARE * left_s)


def credentials_of(entry: Entry, environment: dict[str, str]) -> Credentials:
    """Return what the user of a context proves itself with, in kubectl's order. Raises NoCredentials: it cannot be used.

    Certificates that stand in the kubeconfig itself are the client library's affair.
    """
    user = entry.user
    if user.get("tokenFile"):
        return TokenFile(Path(user["tokenFile"]), last=str(user.get("token") or "").strip())
    if user.get("token"):
        return Fixed(f"Bearer {sendable(str(user['token']).strip(), 'token of the user')}")
    if user.get("exec"):
        return Exec(command_of(entry, environment))
    if user.get("username") and user.get("password"):
        pair = b64encode(f"{user['username']}:{user['password']}".encode()).decode()
        return Fixed(f"Basic {pair}")
    if user.get("auth-provider"):
        return Fixed(f"Bearer {sendable(token_of(user['auth-provider']), 'auth-provider oidc')}")
    return Fixed()


def sendable(token: str, what: str) -> str:
    """Return ``token``, which is known as a secret from now on. Raises NoCredentials: no header may hold it."""
    remember([token])
    if not token.isprintable() or not token.isascii():
        raise NoCredentials(f"{what}: the token holds a character that no header may have, such as a line break; write it again")
    return token


def _private_file() -> str:
    """Return a new file that only this user can read, gone when the process ends in order."""
    handle, path = tempfile.mkstemp(prefix="aftershock-")
    os.close(handle)
    atexit.register(Path(path).unlink, missing_ok=True)
    return path
