"""Takes secrets out of everything that a run writes or says: by name, by shape, and by the values that this process knows.

Known values are those of its environment under secret names, those of all that the target file names (:func:`of_target`), and what exec
plugins hand over meanwhile (:mod:`target.secrets.known`). Events, messages, journal, log, diagnostics and tracebacks are redacted.
Names and shapes stand in :mod:`target.secrets.credentials`; texts alone are redacted by :mod:`target.secrets.hiding`.
"""

from __future__ import annotations

import base64
import io
import logging
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TextIO, TypeVar, cast
from urllib.parse import unquote, urlsplit

from kube.connection.secrets import of_file, of_kubeconfig
from target.prometheus import Prometheus
from target.requests import RequestsClass
from target.secrets import credentials
from target.secrets.hiding import HIDDEN, redact_text
from target.target import Target

Value = TypeVar("Value")


def of_environment(environment: Mapping[str, str]) -> list[str]:
    """Return the values of an environment under secret names, and the passwords of the proxies that it names."""
    named = [value for name, value in environment.items() if credentials.NAME.search(name)]
    return named + [found for name, value in environment.items() if name.lower().endswith("_proxy") for found in _of_url(value)]


def of_target(target: Target, environment: Mapping[str, str]) -> list[str]:
    """Return the secrets of all that a target file names: kubeconfigs, Prometheus and loads."""
    found: list[str] = []
    for region in target.regions.values():
        found += of_kubeconfig(region.kubeconfig, environment)
        if region.prometheus:
            found += _of_prometheus(region.prometheus, environment)
    for workload in target.workloads.values():
        found += workload.secrets(environment)
        shown = workload.load.client_cert if isinstance(workload, RequestsClass) else None
        found += of_file(Path(shown.key)) if shown else []
    return found


def _of_prometheus(prometheus: Prometheus, environment: Mapping[str, str]) -> list[str]:
    values = prometheus.secrets(environment)
    keys = [path for key, path in prometheus.files() if key[-1] == "key"]
    pairs = [base64.b64encode(value.encode()).decode() for value in values if ":" in value]  # as basic authentication sends them
    return [*values, *pairs, *(text for path in keys for text in of_file(Path(path)))]


def _of_url(url: str) -> list[str]:
    with suppress(ValueError):
        user, password = urlsplit(url).username or "", urlsplit(url).password or ""
        return [unquote(password), base64.b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode()] if password else []
    return []


class Redacted(logging.Formatter):
    """A formatter whose lines hold no secret."""

    def format(self, record: logging.LogRecord) -> str:
        """Format as usual, then redact."""
        return redact_text(super().format(record))


class RedactedStream(io.TextIOBase):
    """Standard error of a process whose output is a file: whole lines, without secrets. Tracebacks of every thread go this way."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._line, self._lock = stream, "", threading.RLock()

    def write(self, text: str) -> int:
        """Keep ``text`` until its line is whole."""
        with self._lock:
            whole, newline, self._line = (self._line + text).rpartition("\n")
            if newline:
                self._stream.write(redact_text(whole) + newline)
                self._stream.flush()
        return len(text)

    def flush(self) -> None:
        """Write what has no end of line as yet, too: it may be the last."""
        with self._lock:
            self._stream.write(redact_text(self._line))
            self._line = ""
            self._stream.flush()

    def fileno(self) -> int:
        """Return the descriptor below."""
        return self._stream.fileno()


def redact_object(value: Value, secrets: tuple[str, ...] = ()) -> Value:
    """Hide values under secret names (``{name, value}`` pairs of a container's environment too), and text that looks secret."""
    return cast("Value", _redacted(value, secrets))


def _redacted(value: object, secrets: tuple[str, ...]) -> object:
    if isinstance(value, dict):
        named = credentials.NAME.search(str(value.get("name", ""))) and isinstance(value.get("value"), str)
        return {key: HIDDEN if _hides(key, part, named=bool(named)) else _redacted(part, secrets) for key, part in value.items()}
    if isinstance(value, list):
        return [_redacted(part, secrets) for part in value]
    return redact_text(value, secrets) if isinstance(value, str) else value


def _hides(key: str, value: object, *, named: bool) -> bool:
    return isinstance(value, str) and bool(value) and ((named and key == "value") or bool(credentials.NAME.search(key)))
