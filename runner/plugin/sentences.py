"""What pytest shows of a run that did not come out as expected: one sentence each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from history.plan import Expect
from history.result import Check, RunVerdict, Verdict
from runner.request import Request
from target.secrets.hiding import excerpt

LONGEST = 300  # characters of a line that is quoted
NO_CAUSE = "likely cause: none of those that are known"
MOST_CHECKS = 3  # whose figures are quoted; the page has all


def failed(verdict: RunVerdict, expect: Expect, red: Sequence[str], page: Path) -> str:
    """Return one sentence: the figures with their budgets, the likely cause, and the page that will say more.

    ``red``: what expired waivers say. An INCONCLUSIVE says what was missing instead of figures, which nobody should believe.
    """
    parts = [_expected(verdict, expect) + _figures(verdict), *_cause(verdict), *map(_part, red)]
    return f"{'; '.join(parts)}; report: {page}"


def unplanned(name: str, request: Request, code: int) -> str:
    """Return what is said of a child that ended in preflight without a word: nothing was injected, so it is no verdict."""
    log = request.run_dir / "child.log"
    lines = log.read_text(errors="replace").split("\n") if log.exists() else []
    last = next((line for line in reversed(lines) if line.strip()), "nothing")
    said = excerpt(last, LONGEST)
    ended = f"{name}: the run ended in preflight with exit code {code}, nothing was injected; its log {log} ends with: {said}"
    heal = f"; what it left is ended by: python -m runner heal --target {request.target}"
    return f"{ended}; this is a defect of the suite, please report it{heal if (request.run_dir / 'plan.json').exists() else ''}"


def _expected(verdict: RunVerdict, expect: Expect) -> str:
    if expect == Expect():
        return f"{verdict.verdict}: "
    return f"{expect.verdict}{f' by check {expect.check}' if expect.check else ''} was expected, and it came out {verdict.verdict}: "


def _figures(verdict: RunVerdict) -> str:
    over = [check for check in verdict.checks if check.verdict is Verdict.FAIL and check.budget is not None and check.measured is not None]
    if verdict.verdict is not Verdict.FAIL or not over:
        return _part(verdict.sentence)
    others = sum(check.verdict is not Verdict.PASS for check in verdict.checks) - len(over[:MOST_CHECKS])
    more = f", and {others} more {'check that is' if others == 1 else 'checks that are'} not PASS" if others else ""
    return f"{', '.join(map(_figure, over[:MOST_CHECKS]))}{more}"


def _figure(check: Check) -> str:
    from reports.night.harm import over_text  # noqa: PLC0415 - plotting libraries are loaded only when there is something to plot

    return f"{check.workload}: {over_text(check)}" if check.workload else over_text(check)


def _cause(verdict: RunVerdict) -> list[str]:
    if not verdict.advice:
        return [NO_CAUSE] if verdict.advice == () else []
    likely = verdict.advice[0]
    return [f"likely cause: {_part(likely.sentence)} ({likely.where}: {likely.field})"]


def _part(sentence: str) -> str:
    """Return a sentence as a part of another: on one line, without its full stop."""
    return " ".join(sentence.split()).rstrip(".")
