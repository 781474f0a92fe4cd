"""One case by Chaos Toolkit itself: ``chaos run`` with its defaults, in a process of its own; what it says is read, never assumed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.common.tables import ROOT
from bench.comparison.false_passes.cases import Case
from bench.comparison.false_passes.parts import STOPPED, state_of_server
from bench.comparison.false_passes.platform import platform_of

LIMIT_S = 60.0
FROZEN = "**the server is left frozen**"


@dataclass(frozen=True, slots=True)
class Result:
    """What ``chaos run`` says of a case. ``journal`` is None if it wrote none."""

    exit_code: int
    journal: dict[str, Any] | None
    left_stopped: bool

    @property
    def green(self) -> bool:
        """Whether whoever trusts the exit code believes that all is well."""
        return self.exit_code == 0

    def text(self) -> str:
        """Return it for the table."""
        code = f"exit {self.exit_code}" if self.exit_code >= 0 else f"killed by {signal.Signals(-self.exit_code).name}"
        parts = [code, *_of_journal(self.journal)]
        if self.left_stopped:
            parts.append(FROZEN)
        return ", ".join(["**" + parts[0] + "**" if self.green else parts[0], *parts[1:]])


def run(case: Case, folder: Path) -> Result:
    """Run ``case`` by ``chaos run``; its files go to ``folder``."""
    journal = folder / "journal.json"
    chaos = [str(Path(sys.executable).with_name("chaos")), "--no-version-check", "--settings", str(folder / "no-settings.yaml")]
    with platform_of(case, folder) as file:
        command = [*chaos, "run", "--journal-path", str(journal), *case.options, str(file)]
        env = os.environ | {"PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=LIMIT_S, check=False)
        left_stopped = state_of_server() == STOPPED
    (folder / "chaos.txt").write_text(done.stdout + done.stderr)
    return Result(done.returncode, json.loads(journal.read_text()) if journal.exists() else None, left_stopped)


def _of_journal(journal: dict[str, Any] | None) -> list[str]:
    if journal is None:
        return ["no journal, no rollback"]
    acted = [activity for activity in journal["run"] if activity.get("status") == "succeeded"]
    states = journal["steady_states"]
    during = [state for state in states.get("during") or [] if state]
    unmet = sum(not state["steady_state_met"] for state in during)
    parts = [f"`{journal['status']}`", f"deviated: {str(journal['deviated']).lower()}"]
    parts.append(f"{len(acted)} of {len(journal['experiment']['method'])} activities succeeded")
    parts += [f"{unmet} of {len(during)} hypothesis iterations unmet"] if during else []
    undone = sum(activity.get("status") == "succeeded" for activity in journal["rollbacks"])
    return [*parts, f"rollback {'done' if undone else 'failed' if journal['rollbacks'] else 'not run'}"]
