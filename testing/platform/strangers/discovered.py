"""Discovery of a cluster of manifests, for tests: the survey, the draft, and the target file that it is."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from runner.commands.discover import discover
from runner.discovery.cluster import open_cluster
from runner.discovery.reader import Reader
from runner.discovery.survey import Survey, take
from runner.drivers.choice import read_target
from target.target import Target
from testing.platform.kube_api import KubeApi
from testing.platform.strangers.manifests import Manifests, served


class Discovered:
    """A draft as a file: its text, what it says as data, and the target that it is read as."""

    def __init__(self, file: Path, code: int) -> None:
        self.file, self.code = file, code
        self.text = file.read_text()
        self.raw: dict[str, Any] = yaml.safe_load(self.text)

    @property
    def target(self) -> Target:
        return read_target(self.file)

    @property
    def roles(self) -> dict[str, Any]:
        found: dict[str, Any] = self.raw["roles"]
        return found

    @property
    def load(self) -> dict[str, Any]:
        found: dict[str, Any] = self.raw["workloads"]["realtime-inference"]["load"]
        return found

    @property
    def region(self) -> dict[str, Any]:
        found: dict[str, Any] = self.raw["regions"]["default"]
        return found

    @property
    def comments(self) -> str:
        """Return all comments as one text, however they are wrapped."""
        lines = (line.strip() for line in self.text.splitlines())
        return " ".join(line.removeprefix("#").strip() for line in lines if line.startswith("#"))

    def above(self, key: str) -> str:
        """Return the comment above the first line that begins with ``key``."""
        lines = [line.strip() for line in self.text.splitlines()]
        at = next(i for i, line in enumerate(lines) if line.startswith(key))
        begin = at
        while begin and lines[begin - 1].startswith("#"):
            begin -= 1
        return " ".join(line.removeprefix("#").strip() for line in lines[begin:at])


def options(output: Path | None, *namespaces: str, context: str | None = None) -> argparse.Namespace:
    return argparse.Namespace(context=context, namespace=list(namespaces), output=output)


@contextmanager
def at(cluster: Manifests, folder: Path, monkeypatch: pytest.MonkeyPatch, namespace: str = "") -> Iterator[KubeApi]:
    """Let the kubeconfig of this process lead to ``cluster``; ``namespace``: the one in which its context works."""
    with served(cluster, folder, namespace) as (api, kubeconfig):
        monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
        yield api


def discovered(cluster: Manifests, folder: Path, monkeypatch: pytest.MonkeyPatch, *namespaces: str, own: str = "") -> Discovered:
    """Return the draft of a cluster."""
    with at(cluster, folder, monkeypatch, own):
        file = folder / "drafted.yaml"
        code = discover(options(file, *namespaces))
        return Discovered(file, code)


def surveyed(cluster: Manifests, folder: Path, monkeypatch: pytest.MonkeyPatch, only: Sequence[str] = ()) -> Survey:
    """Return what is found in a cluster."""
    with at(cluster, folder, monkeypatch):
        return take(open_cluster(None), only)


def reader(only: Sequence[str] = (), own: str = "default") -> Reader:
    """Return a reader of the cluster to which the kubeconfig leads."""
    return Reader(open_cluster(None).platform, only, own)
