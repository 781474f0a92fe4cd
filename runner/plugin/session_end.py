"""The end of a session: its report and its exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from history.errors import AftershockError
from runner.exits import FAILED, INCONCLUSIVE, REFUSED, RISKS
from runner.plugin.risk_gate import risks_met

if TYPE_CHECKING:
    from runner.plugin.items import Session


def exit_status(chaos: Session, exitstatus: int, rendered: bool) -> int:
    """Return the exit code of a session; what pytest decided otherwise (interrupted, usage, nothing collected) stays."""
    if chaos.malformed and not chaos.outcomes:
        return REFUSED
    ours = {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}
    if not chaos.outcomes or exitstatus not in ours:
        return REFUSED if chaos.absent and exitstatus == pytest.ExitCode.OK else exitstatus  # nothing ran: that is no success
    if {"failed", "broken"} & set(chaos.outcomes) or (not rendered and set(chaos.outcomes) != {"refused"}):
        return FAILED
    if "inconclusive" in chaos.outcomes:
        return INCONCLUSIVE
    if "refused" in chaos.outcomes:
        return REFUSED
    return RISKS if exitstatus == pytest.ExitCode.OK and risks_met(chaos) else exitstatus


def write_report(chaos: Session) -> bool:
    """Render the report of this session's runs; say so if that is not possible. Returns whether it was."""
    if chaos.options.dry_run or not (chaos.run_dirs or chaos.refused or chaos.absent):
        return True
    from reports import Context, NotTested, Risk, render  # noqa: PLC0415 - plotting libraries are loaded only when there is something to plot

    not_tested = tuple(NotTested(id=name, title=title, kind="refused", reason=reason) for name, title, reason in chaos.refused)
    not_tested += tuple(NotTested(id=name, title=title, kind="skipped", reason=reason) for name, title, reason in chaos.absent)
    try:
        risks = tuple(Risk(sentence=said, experiments=tuple(dict.fromkeys(ids))) for said, ids in chaos.risks.items())
        context = Context(command=chaos.options.command(), not_tested=not_tested, risks=risks)
        chaos.report = render(chaos.run_dirs, chaos.options.out / "latest", context)
    except (AftershockError, OSError) as error:
        chaos.progress.line(f"the report could not be rendered: {error}")
        return False
    return True
