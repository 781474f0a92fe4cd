"""The end of a session: its report and its exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from history.errors import AftershockError
from runner.exits import FAILED, INCONCLUSIVE, REFUSED, REGRESSED, RISKS
from runner.plugin import nights
from runner.plugin.at_hand import at_hand
from runner.plugin.recording import state_of
from runner.plugin.risk_gate import risks_met
from runner.unfinished import not_tested_of

if TYPE_CHECKING:
    from runner.plugin.session import Session


def exit_status(chaos: Session, exitstatus: int, rendered: bool) -> int:
    """Return the exit code of a session; what pytest decided otherwise (interrupted, usage, nothing collected) stays."""
    if chaos.malformed and not chaos.outcomes:
        return REFUSED
    ours = {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}
    if not chaos.outcomes or exitstatus not in ours:
        left_out = chaos.absent or chaos.no_time
        return REFUSED if left_out and exitstatus == pytest.ExitCode.OK else exitstatus  # nothing ran: that is no success
    if {"failed", "broken"} & set(chaos.outcomes) or (not rendered and set(chaos.outcomes) != {"refused"}):
        return FAILED
    if "inconclusive" in chaos.outcomes:
        return INCONCLUSIVE
    if "refused" in chaos.outcomes:
        return REFUSED
    return _of_what_held(chaos) if exitstatus == pytest.ExitCode.OK else exitstatus


def _of_what_held(chaos: Session) -> int:
    """Return the exit code of a session whose experiments all held: what else was asked for may still end it."""
    if chaos.regressed:
        return REGRESSED
    if chaos.unjudged:
        return INCONCLUSIVE
    return RISKS if risks_met(chaos) else pytest.ExitCode.OK


def write_report(chaos: Session) -> bool:
    """Render the report of this session's runs; say so if that is not possible. Returns whether it was."""
    if chaos.options.dry_run or not (chaos.run_dirs or chaos.refused or chaos.absent or chaos.no_time):
        return True
    from reports import Context, Risk, build, write  # noqa: PLC0415 - plotting libraries are loaded only when there is something to plot
    from reports.night.waived import known_fails, waiver_notes  # noqa: PLC0415 - likewise

    state = state_of(chaos)
    try:
        risks = tuple(Risk(sentence=said, experiments=tuple(dict.fromkeys(ids))) for said, ids in chaos.risks.items())
        context = Context(
            command=state.command, not_tested=tuple(not_tested_of(state, chaos.stopped)), risks=risks,
            incomplete=state.incomplete(chaos.stopped),
            past=nights.past_of(chaos), at_hand=at_hand(chaos), known_fails=known_fails(chaos.run_dirs, chaos.options.waivers),
            waiver_notes=waiver_notes(chaos.run_dirs, chaos.options.waivers),
        )  # fmt: skip
        report = build(chaos.run_dirs, context)
        chaos.report = write(report, chaos.options.out / "latest", chaos.options.junit_inconclusive)
        chaos.built = report
        chaos.time = report.time.sentence if report.time else ""
    except (AftershockError, OSError) as error:
        chaos.progress.line(f"the report could not be rendered: {error}")
        return False
    finally:
        nights.keep(chaos)
    return True
