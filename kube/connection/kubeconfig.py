"""A kubeconfig as kubectl reads it: a list of files, the first that names a thing wins, relative paths count from the file they stand in.

kubernetes 37.0.1 reads lists and relative paths too, but ends in the middle of PyYAML where a file is no YAML or has another shape.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from history.errors import ConfigError
from kube.connection.errors import KubeconfigRefused
from target.yaml_source import read_located

Fields = dict[str, Any]
DEFAULT = "~/.kube/config"
EXAMPLE = "what kubectl config view prints"
PATHS = {"clusters": ("certificate-authority",), "users": ("client-certificate", "client-key", "tokenFile"), "contexts": ()}
OF_LIST = {"clusters": "cluster", "users": "user", "contexts": "context"}
NOTHING = re.compile(rb"(\s*(#[^\n]*|---))*\s*")  # comments alone, too
TRUTHS = ("insecure-skip-tls-verify", "disable-compression")
TEXTS = (
    "server", "tls-server-name", "certificate-authority", "certificate-authority-data", "proxy-url", "client-certificate",
    "client-certificate-data", "client-key", "client-key-data", "token", "tokenFile", "username", "password",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Entry:
    """What one context leads to: the fields of its cluster and of its user (empty: nobody), with absolute paths.

    ``namespace``: the one in which it works where none is named; empty: it names none.
    """

    context: str
    cluster: Fields
    user: Fields
    namespace: str = ""


def files_of(kubeconfig: str | None, environment: Mapping[str, str] = os.environ) -> list[Path]:
    """Return the files that a kubeconfig is made of: those of a target file, else of KUBECONFIG, else the default."""
    said = kubeconfig or environment.get("KUBECONFIG") or DEFAULT
    return [Path(os.path.expanduser(one)) for one in said.split(os.pathsep) if one]  # noqa: PTH111 - Path's raises where nobody has a home


def read_entry(kubeconfig: str | None, context: str, environment: Mapping[str, str] = os.environ) -> Entry:
    """Return what ``context`` leads to.

    Raises:
        KubeconfigRefused: a file cannot be read or has another shape; or there is no such context, cluster or user.

    """
    there = _there(files_of(kubeconfig, environment))
    known = _merged([(file, document_of(file)) for file in there])
    where = " and ".join(map(str, there))
    chosen = _named(known["contexts"], "context", context, where)
    user = chosen.get("user")
    return Entry(
        context=context,
        cluster=_as_kinds(_named(known["clusters"], "cluster", chosen.get("cluster"), where), f"{where}: cluster {chosen.get('cluster')}"),
        user=_as_kinds(_named(known["users"], "user", user, where), f"{where}: user {user}") if user else {},
        namespace=str(chosen.get("namespace") or ""),
    )


def current_context(kubeconfig: str | None, environment: Mapping[str, str] = os.environ) -> str:
    """Return the context that a kubeconfig works in: of a list, what the first file says that says any.

    Raises:
        KubeconfigRefused: a file cannot be read or has another shape; or none says it.

    """
    there = _there(files_of(kubeconfig, environment))
    for file in there:
        if isinstance(name := document_of(file).get("current-context"), str) and name:
            return name
    raise KubeconfigRefused(f"{' and '.join(map(str, there))}: no current-context; name a context")


def _there(files: list[Path]) -> list[Path]:
    there = [file for file in files if len(files) == 1 or _is_there(file)]  # of a list, kubectl passes over what is not there
    if not there:
        raise KubeconfigRefused(f"none of {', '.join(map(str, files))} is there; correct KUBECONFIG")
    return there


def _is_there(file: Path) -> bool:
    try:
        return file.exists()
    except OSError:  # no right to look: who reads it is told so
        return True


def _as_kinds(fields: Fields, whose: str) -> Fields:
    """Return those ``fields`` that say something, if each is of its kind: "false" in quotes would be taken for true."""
    for key, value in fields.items():
        if value is not None and key in TRUTHS and not isinstance(value, bool):
            raise KubeconfigRefused(f"{whose}: {key} must be true or false, without quotes")
        if value is not None and key in TEXTS and not isinstance(value, str):
            raise KubeconfigRefused(f"{whose}: {key} must be a text, YAML reads it as a {type(value).__name__}; put it in quotes")
    return {key: value for key, value in fields.items() if value is not None and value != ""}


def document_of(file: Path) -> Fields:
    """Return what one file holds; nothing, if it is empty. Raises KubeconfigRefused: it cannot be read, or is no mapping."""
    try:
        text = file.read_bytes().strip()
        if NOTHING.fullmatch(text):
            return {}
        if text.startswith(b"{"):  # JSON may be indented by tabs, YAML may not
            found = json.loads(text)
            return dict(found)
        return read_located(file, EXAMPLE).data
    except ConfigError as error:
        raise KubeconfigRefused(str(error)) from error
    except json.JSONDecodeError as error:
        raise KubeconfigRefused(f"{file}:{error.lineno}: not valid JSON: {error.msg}") from error
    except (OSError, ValueError, RecursionError) as error:
        raise KubeconfigRefused(f"{file} cannot be read: {error}") from error


def _merged(documents: list[tuple[Path, Fields]]) -> dict[str, dict[str, Fields]]:
    """Return the fields of every cluster, user and context by name; the first file that names one wins."""
    known: dict[str, dict[str, Fields]] = {kind: {} for kind in OF_LIST}
    for file, document in documents:
        for kind, of in known.items():
            here: set[str] = set()
            for name, fields in _listed(file, document, kind):
                if name in here:
                    raise KubeconfigRefused(f"{file}: {kind} has the name {name!r} twice; leave one of them out")
                here.add(name)
                of.setdefault(name, _absolute(file, fields, PATHS[kind]))
    return known


def _listed(file: Path, document: Fields, kind: str) -> Iterator[tuple[str, Fields]]:
    one = OF_LIST[kind]
    entries = document.get(kind) or []
    for entry in entries if isinstance(entries, list) else [entries]:
        fields = (entry.get(one) or {}) if isinstance(entry, dict) else None
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str) or not isinstance(fields, dict):
            raise KubeconfigRefused(f"{file}: {kind} must be a list of entries with a name and a {one}")
        yield entry["name"], fields


def _absolute(file: Path, fields: Fields, keys: tuple[str, ...]) -> Fields:
    """Return ``fields`` with paths that no longer depend on where ``file`` lies; an exec plugin's command is one if it has a slash."""
    folder = file.absolute().parent
    made = fields | {key: str(folder / fields[key]) for key in keys if isinstance(fields.get(key), str) and fields[key]}
    plugin = made.get("exec")
    if isinstance(plugin, dict) and os.sep in str(plugin.get("command", "")):
        made["exec"] = plugin | {"command": str(folder / str(plugin["command"]))}
    return made


def _named(known: Mapping[str, Fields], kind: str, name: object, where: str) -> Fields:
    if not isinstance(name, str) or name not in known:
        names = ", ".join(sorted(known)) or f"no {kind} at all"
        raise KubeconfigRefused(f"{where}: there is no {kind} {name!r}, there is {names}")
    return known[name]
