"""``summary.md``: the night in at most 20 KB and 100 lines, what changed first; for a CI's step summary or a message."""

from __future__ import annotations

import re

from history.result import Verdict
from nights.changes import Turn
from reports.model import Experiment, NotTested, Report, RunInfo
from reports.night.sentences import why
from reports.page.past import headline, turned
from reports.page.shortened import Part, shortened
from reports.page.views import budget_row
from reports.past import Past
from reports.retries import RetryComparison
from reports.risk import Risk, ShownWeakness
from reports.text import clock, one_line
from verdict.words import seconds

MOST_LINES = 100
MOST_BYTES = 20_000
MOST_ROWS = 40
MOST_REASONS = 12
SIGN = {Verdict.PASS: "✅", Verdict.INCONCLUSIVE: "❔", Verdict.FAIL: "❌"}
_MARKUP = re.compile(r"([\\`*_\[\]|~])")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "://": "&#58;//", "www.": "www&#46;", "@": "&#64;"}


def plain(text: str, limit: int = 300) -> str:
    """Return ``text`` on one line with everything escaped that Markdown or HTML would read as markup, or as an address, within a line."""
    line = _MARKUP.sub(r"\\\1", one_line(text, limit))
    for sign, entity in _ENTITIES.items():
        line = line.replace(sign, entity)
    return line


def code(text: str, limit: int = 300) -> str:
    """Return ``text`` as code on one line; a fence longer than any run of backticks in it keeps it whole."""
    line = one_line(text, limit)
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", line)), default=0))
    return f"{fence} {line} {fence}"


def markdown(report: Report) -> str:
    """Return the summary of ``report``; what does not fit is cut from the end, and a sentence says so."""
    run, shown = report.run, bool(report.experiments)
    parts = [
        Part("what changed", _changed(report.past)),
        Part("the counts", ["", plain(report.summary)]),
        Part("the target", ["", _where(run)] if shown else []),
        Part("the experiments", ["", *_table(report)] if shown else [], head=3),
        Part("the reasons", _reasons(report)),
        Part("the clients' retries", [line for met in report.retries for line in ("", _retries(met))]),
        Part("the risks", _risks(report), head=3),
        Part("what was not tested", _not_tested(report.not_tested), head=3),
    ]
    return shortened(
        [f"## {SIGN[report.verdict]} {report.verdict}: {plain(report.sentence, 600)}"],
        parts,
        ["", f"Run it again: {code(run.command)}"] if run.command else [],
        most_bytes=MOST_BYTES,
        most_lines=MOST_LINES,
        whole="index.html",
    )


def _changed(past: Past | None) -> list[str]:
    """Return what changed since earlier nights, if nights are kept: in a sentence, and a line an experiment; then what went wrong there."""
    if past is None:
        return []
    found = past.changes
    told = [(change, said) for change, said in turned(found) if change.turn is not Turn.NEW] if found else []
    lines = [f"- **{plain(one.experiment)}** {plain(said)}. {plain(one.sentence, 400)}" for one, said in told]
    first = [plain(headline(found), 600), *(["", *lines[:MOST_REASONS], *_more(lines)] if lines else [])] if found else []
    return ["", *first, *(line for note in past.notes for line in ("", plain(note)))]


def _retries(met: RetryComparison) -> str:
    return f"Client retries, {plain(met.fault)}: {plain(met.sentence, 600)}"


def _more(lines: list[str]) -> list[str]:
    return [f"- … and {len(lines) - MOST_REASONS} more"] if len(lines) > MOST_REASONS else []


def _where(run: RunInfo) -> str:
    target, context, seed = (plain(", ".join(map(str, told))) for told in (run.target, run.context, run.seed))
    return f"Target {target} (context {context}), {plain(clock(run.started))}, took {seconds(run.duration_s)}, seed {seed}.{_answers(run)}"


def _answers(run: RunInfo) -> str:
    return f" Answers checked: {plain('; '.join(run.answers), 600)}." if run.answers else ""


def _table(report: Report) -> list[str]:
    rows = ["| | experiment | RTO | bad requests | availability | false healthy | trials |", "|---|---|---|--:|---|--:|---|"]
    rows += [_row(experiment) for experiment in report.experiments[:MOST_ROWS]]
    left = len(report.experiments) - MOST_ROWS
    return [*rows, f"| | … and {left} more: see index.html | | | | | |"] if left > 0 else rows


def _row(experiment: Experiment) -> str:
    row = budget_row(experiment)
    cells = (
        row.rto,
        row.bad,
        row.availability,
        row.false_healthy + (f" (Kubernetes: {row.false_ready})" if row.false_ready else ""),
        row.trials,
    )
    expected = "" if experiment.expect.verdict == "PASS" else f" ({experiment.verdict}, as a seeded weakness should)"
    apart = f", platform {plain(experiment.platform or 'not recorded')}" if experiment.apart else ""
    name = f"{SIGN[experiment.counts_as]} {experiment.counts_as} | {plain(experiment.id)}{apart}{expected}"
    return f"| {name} | {' | '.join(plain(str(cell)) for cell in cells)} |"


def _reasons(report: Report) -> list[str]:
    open_ones = [e for e in report.experiments if e.counts_as is not Verdict.PASS]
    lines = [
        f"- **{plain(e.id)}** {'inconclusive: ' if e.counts_as is Verdict.INCONCLUSIVE else ''}{plain(why(e), 600)}{_cause(e)}"
        for e in open_ones
    ]
    return ["", *lines[:MOST_REASONS], *_more(lines)] if lines else []


def _cause(experiment: Experiment) -> str:
    """Return the likeliest cause of the worst trial's FAIL, if one was found."""
    advice = experiment.trials[0].advice
    return f" Likely cause: {plain(advice[0].sentence, 400)}" if advice else ""


def _risks(report: Report) -> list[str]:
    lines = [*map(_not_allowed, report.risks), *map(_weakness, report.weaknesses or ())]
    return ["", "Risks:", "", *lines[:MOST_REASONS], *_more(lines)] if lines else []


def _not_allowed(risk: Risk) -> str:
    return f"- {plain(risk.sentence, 600)} ({plain(', '.join(risk.experiments))})"


def _weakness(found: ShownWeakness) -> str:
    proofs = ", ".join(f"{proof.experiment}: {proof.ended}" for proof in found.proofs) or "no experiment here proves it"
    return f"- {plain(found.where)}: {plain(found.says)} {plain(found.costs)} ({plain(proofs)})"


def _not_tested(items: tuple[NotTested, ...]) -> list[str]:
    lines = [f"- **{plain(item.id)}** ({item.kind}): {plain(item.reason, 400)}" for item in items]
    return ["", "Not tested:", "", *lines[:MOST_REASONS], *_more(lines)] if lines else []
