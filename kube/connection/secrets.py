"""The secret values of a kubeconfig, wherever it keeps them: in itself, in files that it names, in what it hands to a plugin."""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from kube.connection.errors import KubeconfigRefused
from kube.connection.kubeconfig import document_of, files_of
from target.secrets.credentials import NAME

KEYS = ("token", "password", "client-key-data", "id-token", "refresh-token", "access-token", "client-secret")
FILES = ("tokenFile", "client-key")


def of_kubeconfig(kubeconfig: str | None, environment: Mapping[str, str] = os.environ) -> list[str]:
    """Return the secrets of every user of every file of a kubeconfig, also as they stand decoded; nothing of a file that cannot be read."""
    found: list[str] = []
    for file in files_of(kubeconfig, environment):
        with suppress(KubeconfigRefused):
            found += _of(document_of(file), file.absolute().parent)
    return found


def of_file(path: Path) -> list[str]:
    """Return what a file with a secret holds; nothing if it cannot be read."""
    with suppress(OSError, UnicodeDecodeError, ValueError):
        return [path.read_text()]
    return []


def _of(value: object, folder: Path) -> Iterator[str]:
    """Yield the secrets under a part of a document that lies in ``folder``."""
    if isinstance(value, list):
        for part in value:
            yield from _of(part, folder)
    if not isinstance(value, dict):
        return
    if NAME.search(str(value.get("name", ""))) and isinstance(value.get("value"), str):
        yield value["value"]  # a variable for an exec plugin
    for key, part in value.items():
        yield from _under(key, part, value, folder) if isinstance(part, str) else _of(part, folder)


def _under(key: str, text: str, beside: Mapping[str, Any], folder: Path) -> Iterator[str]:
    if key in KEYS:
        yield text
        yield from _decoded(text)
    if key == "password":
        yield base64.b64encode(f"{beside.get('username')}:{text}".encode()).decode()
    if key in FILES:
        yield from of_file(folder / text)
    if key == "proxy-url":
        with suppress(ValueError):
            yield unquote(urlsplit(text).password or "")


def _decoded(text: str) -> Iterator[str]:
    with suppress(binascii.Error, ValueError):
        yield base64.b64decode(text, validate=True).decode()
