"""GitHub Actions: annotations by workflow commands, and the summary of the step.

Source: "Workflow commands for GitHub Actions". A step shows at most 10 errors, 10 warnings and 10 notices; a summary has at most 1 MiB.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from history.errors import AftershockError
from history.result import Verdict
from reports.build import is_waived
from reports.known import waived_runs
from reports.model import Experiment, Report
from reports.night.sentences import why
from reports.text import one_line

MOST = 10
"""Annotations of one level that a step shows."""
LONGEST = 1000
SUMMARY = "GITHUB_STEP_SUMMARY"
WORKSPACE = "GITHUB_WORKSPACE"


@dataclass(frozen=True, slots=True)
class Annotation:
    """One workflow command. ``file`` is a path below the repository's root; empty: it is not there."""

    level: str  # error, warning, notice
    title: str
    message: str
    file: str = ""

    def __str__(self) -> str:
        where = {"file": self.file, "title": self.title}
        told = ",".join(f"{name}={_property(one_line(value, LONGEST))}" for name, value in where.items() if value)
        return f"::{self.level} {told}::{_data(one_line(self.message, LONGEST))}"


def annotated(report: Report, files: Mapping[str, Path], environment: Mapping[str, str]) -> list[Annotation]:
    """Return what is annotated, at most ten of a level: FAIL is an error, what is waived a notice, the rest a warning.

    The rest: INCONCLUSIVE, refused, unreadable, and that the night is incomplete, which comes first.

    ``files`` has the file of each experiment.
    """
    root = environment.get(WORKSPACE, "")
    found = [replace(one, file=_below(files.get(name), root)) for name, one in _annotations(report)]
    return [one for level in ("error", "warning", "notice") for one in _at_most([of for of in found if of.level == level])]


def _annotations(report: Report) -> Iterator[tuple[str, Annotation]]:
    if report.incomplete:
        yield "", Annotation("warning", "Aftershock: incomplete", report.incomplete)
    waived = waived_runs(report.known_fails)
    for one in report.experiments:
        if one.counts_as is not Verdict.PASS:
            yield one.id, Annotation(_level(one, waived), f"{one.id}: {one.counts_as}", why(one) + _cause(one))
    for item in report.not_tested:
        if item.kind != "skipped":
            yield item.id, Annotation("warning", f"{item.id}: {item.kind}", item.reason)


def _level(one: Experiment, waived: set[str]) -> str:
    if one.counts_as is Verdict.INCONCLUSIVE:
        return "warning"
    return "notice" if is_waived(one, waived) else "error"


def _cause(one: Experiment) -> str:
    advice = one.trials[0].advice
    return f" Likely cause: {advice[0].sentence}" if advice else ""


def _at_most(found: list[Annotation]) -> list[Annotation]:
    """Return ``found``; where it is more than a step shows, the last one says how many more there are."""
    if len(found) <= MOST:
        return found
    rest = f"{len(found) - MOST + 1} more: see the summary of this step"
    return [*found[: MOST - 1], Annotation(found[0].level, "Aftershock", rest)]


def _below(file: Path | None, root: str) -> str:
    if file is None or not root or not file.resolve().is_relative_to(Path(root).resolve()):
        return ""
    return str(file.resolve().relative_to(Path(root).resolve()))


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def write_summary(text: str, environment: Mapping[str, str]) -> str:
    """Add ``text`` (Markdown) to the summary of the step and return a sentence. Raises AftershockError: it cannot be written."""
    file = environment.get(SUMMARY)
    if not file:
        raise AftershockError(f"GitHub: no step summary was written: {SUMMARY} is not set; GitHub Actions sets it")
    try:
        with Path(file).open("a", encoding="utf-8") as summary:
            summary.write(text)
    except OSError as error:
        raise AftershockError(f"GitHub: the step summary {file} cannot be written: {error.strerror}") from error
    return "GitHub: the step summary is written"
