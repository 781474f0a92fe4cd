"""``journal.json``: the run in Chaos Toolkit's own format, which ``chaos report`` reads. Judges never read it."""

from __future__ import annotations

import json
import platform
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import chaoslib

from history.plan import Plan
from history.result import RunVerdict, Verdict
from runner.redact import redact_object
from target.secrets.hiding import redact_text

Entry = dict[str, object]
STATUS = {Verdict.PASS: "completed", Verdict.FAIL: "failed", Verdict.INCONCLUSIVE: "aborted"}


@dataclass(slots=True)
class ToolkitJournal:
    """What was executed so far."""

    experiment: dict[str, object]
    start: datetime = field(default_factory=lambda: datetime.now(UTC))
    before: Entry | None = None
    after: Entry | None = None
    during: list[Entry] = field(default_factory=list)
    run: list[Entry] = field(default_factory=list)
    rollbacks: list[Entry] = field(default_factory=list)

    def content(self, plan: Plan, verdict: RunVerdict | None, interrupted: bool) -> dict[str, object]:
        """Return the journal. ``interrupted``: the run was stopped before it was done."""
        end = datetime.now(UTC)
        status = "interrupted" if interrupted or verdict is None else STATUS[verdict.verdict]
        return {
            "chaoslib-version": chaoslib.__version__,
            "platform": platform.platform(),
            "node": platform.node(),
            "experiment": self.experiment,
            "start": self.start.isoformat(),
            "status": status,
            "deviated": verdict is not None and verdict.verdict is Verdict.FAIL,
            "steady_states": {"before": self.before, "after": self.after, "during": self.during},
            "run": self.run,
            "rollbacks": self.rollbacks,
            "end": end.isoformat(),
            "duration": (end - self.start).total_seconds(),
            "aftershock": {
                "run_id": plan.run_id,
                "verdict": verdict.verdict if verdict else None,
                "sentence": verdict.sentence if verdict else "",
            },
        }

    def write(self, run_dir: Path, plan: Plan, verdict: RunVerdict | None, interrupted: bool) -> None:
        """Write ``journal.json``."""
        journal = redact_object(self.content(plan, verdict, interrupted))
        (run_dir / "journal.json").write_text(json.dumps(journal, indent=1, default=lambda one: redact_text(str(one))))
