"""Drives a cluster as its users do: by the command line, kubectl and HTTP."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from testing.waiting import wait_for

ROOT = Path(__file__).resolve().parents[2]


class Cluster:
    """One cluster by its name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "cluster", "--name", self.name, *arguments]

    def run(self, *arguments: str, expect: int = 0, stdin: str | None = None, timeout_s: float = 240) -> str:
        done = subprocess.run(
            self.command(*arguments), cwd=ROOT, input=stdin, capture_output=True, text=True, timeout=timeout_s, check=False
        )
        assert done.returncode == expect, f"{arguments}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout if expect == 0 else done.stderr

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        return self.run("kubectl", *arguments, stdin=stdin)

    def status(self) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(self.run("status", "--json"))
        return value

    def node(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = next(n for n in self.status()["nodes"] if n["name"] == name)
        return found

    def await_node(self, name: str, timeout_s: float = 90, **expected: object) -> dict[str, object]:
        def as_expected() -> dict[str, object] | None:
            node = self.node(name)
            return node if all(node[key] == value for key, value in expected.items()) else None

        found = wait_for(as_expected, f"{name} with {expected}", timeout_s)
        assert found is not None
        return found

    def file_of(self, node: str, path: str) -> Path:
        """Return where the host sees a file of a running node."""
        return Path(f"/proc/{self.node(node)['pid']}/root{path}")
