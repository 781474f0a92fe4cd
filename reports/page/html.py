"""The pages of a report, each a function of the report alone, complete without script and network.

``index.html`` and a page an experiment share a style sheet beside them, so that they look right where a viewer forbids style inside a page.
``report.html`` is one file for mail and artifacts: what matters, with the worst trial of each experiment in full.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from history.values import FrozenModel
from reports.model import Experiment, Report, Trial
from reports.night.harm import worst_trial
from reports.page import palette, sides
from reports.page.environment import environment, whole
from reports.page.plot import plot

FOLDER = "experiments"
MOST_BYTES = 960_000
"""Of the one file; experiments that would not fit are a row of its table and no more."""
EXIT_CODES = (
    ("0", "every experiment came out as expected"),
    ("1", "at least one FAIL, or a test error"),
    ("10", "no FAIL, but at least one INCONCLUSIVE"),
    ("11", "refused before any fault"),
    ("12", "nothing of these, but a risk that --chaos-fail-on-risk asks for"),
    ("13", "nothing of these, but a regression that --chaos-compare-fail asks for"),
)


@dataclass(frozen=True, slots=True)
class Plots:
    """The plots of a report, each drawn once, whatever number of pages shows it."""

    drawn: dict[str, Markup] = field(default_factory=dict)

    def __call__(self, trial: Trial, ident: str) -> Markup:
        """Return the plot of ``trial``, whose ids start with ``ident``."""
        if ident not in self.drawn:
            self.drawn[ident] = Markup(plot(trial, ident))  # noqa: S704 - drawn and pruned to known elements by reports.page.plot.svg
        return self.drawn[ident]


@dataclass(frozen=True, slots=True)
class Section:
    """An experiment, its id within a page and its own page. Both are markup: they stand in attributes, where no word may be broken."""

    ident: Markup
    file: Markup
    experiment: Experiment

    def trial_ident(self, trial: Trial) -> Markup:
        """Return the id of ``trial``."""
        return self.ident + f"-t{self.experiment.trials.index(trial) + 1}"


def pages(report: Report) -> dict[str, str]:
    """Return every file of the report that people look at, by its path."""
    sections, plots = sections_of(report), Plots()
    links = {section.ident: section.file for section in sections}
    shared = {"report": report, "sections": sections, "links": links, "css": "", "plot": plots}
    made = {
        "style.css": palette.css(),
        "icon.svg": _render("icon.svg.j2", report=report),
        "index.html": _render("index.html.j2", root="", **shared),
        "definitions.html": _render("definitions.html.j2", root="", **shared | {"exit_codes": EXIT_CODES}),
        "report.html": html(report, plots),
    }
    return made | {str(s.file): _render("experiment_page.html.j2", root="../", s=s, trials=s.experiment.trials, **shared) for s in sections}


def html(report: Report, plots: Plots | None = None) -> str:
    """Return ``report.html``: everything that matters in one file, at most :data:`MOST_BYTES` long if its first screen is."""
    sections = sections_of(report)
    links = {section.ident: Markup("#") + section.ident for section in sections}
    shared = {"report": report, "sections": sections, "root": "", "css": _css(), "plot": plots or Plots()}
    empty = _render("one_file.html.j2", links={}, bodies=[], left_out=(), **shared)
    fitting = dict(_fitting(sections, shared | {"links": links}, MOST_BYTES - len(empty.encode())))
    shown = {section.ident: links[section.ident] for section in sections if section.ident in fitting}
    left_out = tuple(section for section in sections if section.ident not in fitting)
    bodies = [fitting[section.ident] for section in sections if section.ident in fitting]
    return _render("one_file.html.j2", bodies=bodies, left_out=left_out, **shared | {"links": shown})


def _fitting(sections: Sequence[Section], shared: dict[str, object], room: int) -> Iterator[tuple[Markup, Markup]]:
    """Yield (id, body) of the experiments whose worst trial fits into ``room`` bytes: what did not hold first, as they are sorted."""
    for section in sections:
        body = Markup(_render("experiment.html.j2", s=section, trials=(worst_trial(section.experiment),), **shared))  # noqa: S704 - ours
        room -= len(body.encode())
        if room < 0:
            return
        yield section.ident, body


def _css() -> Markup:
    """Return the style sheet, for a page that is a file by itself."""
    return Markup(palette.css())  # noqa: S704 - our own file


def _render(template: str, **values: object) -> str:
    return environment().get_template(template).render(**values)


def sections_of(report: Report) -> list[Section]:
    """Return the experiments of ``report`` with their places; a page is named after its experiment, so that a link outlives the night."""
    found: list[Section] = []
    for index, experiment in enumerate(report.experiments, 1):
        name = _slug(experiment.id)
        taken = sum(section.file == page_of(experiment.id) or section.file.startswith(f"{FOLDER}/{name}.") for section in found)
        file = f"{FOLDER}/{name}{f'.{taken + 1}' if taken else ''}.html"
        found.append(Section(whole(f"x{index}-{name}"), whole(file), experiment))
    return found


def trend_html(trends: FrozenModel) -> str:
    """Return the page of ``trends`` (:class:`reports.trend.Trends`)."""
    return _render("trend.html.j2", trends=trends, css=_css())


def side_by_side_html(found: FrozenModel) -> str:
    """Return the page of two sides (:class:`reports.side_by_side.Sides`)."""
    return _render("side_by_side.html.j2", found=found, css=_css(), shown=sides)


def page_of(experiment: str) -> str:
    """Return the path of an experiment's page within its report, by its id; of several sets of its trials, that of the first."""
    return f"{FOLDER}/{_slug(experiment)}.html"


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60] or "experiment"
