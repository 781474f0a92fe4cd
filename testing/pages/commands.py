"""The commands of a page, as a person who follows it types them: those of its ``sh`` blocks, in their order."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
REMARK = re.compile(r"(^|\s)#\s.*$")
ASSIGNMENT = re.compile(r"[A-Z]+=")


def commands_of(page: str) -> list[str]:
    """Return the commands, one a line, without remarks; a line that ends in a backslash goes on in the next."""
    lines = [line for block in BLOCK.findall(page) for line in block.replace("\\\n", " ").splitlines()]
    return [command for line in lines if (command := REMARK.sub("", line).strip())]


@dataclass
class Person:
    """Somebody who types a page's commands in the suite's folder, with own names in the place of the page's.

    ``passed_by``: commands that are done already. ``may_say``: exit codes besides 0 that a command may have, by how it begins.
    """

    folder: Path
    names: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    passed_by: tuple[str, ...] = ()
    may_say: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    limit_s: float = 900.0
    _variables: list[str] = field(default_factory=list)

    def typed(self, command: str) -> str:
        """Return a command with this person's names."""
        for name, own in self.names.items():
            command = command.replace(name, own)
        return command

    def follow(self, page: str) -> Iterator[tuple[str, str]]:
        """Type each command and yield it, as the page has it, with what was said. Fails if one ends otherwise than it should."""
        for command in commands_of(page):
            if command in self.passed_by:
                continue
            if ASSIGNMENT.match(command):
                self._variables.append(self.typed(command))
                continue
            yield command, self._carry_out(command)

    def _carry_out(self, command: str) -> str:
        script = "\n".join(["set -euo pipefail", *self._variables, self.typed(command)])
        done = subprocess.run(
            ["bash", "-c", script], cwd=self.folder, env=os.environ | dict(self.environment), capture_output=True, text=True,
            timeout=self.limit_s, check=False,
        )  # fmt: skip
        allowed = (0, *(code for begin, codes in self.may_say.items() if command.startswith(begin) for code in codes))
        assert done.returncode in allowed, f"{command}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr
