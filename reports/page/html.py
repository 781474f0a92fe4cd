"""``index.html``: one file, no network, no script, complete as it stands. A function of the report alone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from history.layout import NO_CAUSE
from reports import names, retries, text
from reports.model import Experiment, Report, Trial
from reports.page import palette, users, views
from reports.page.plot import caption, plot
from reports.page.quality import measured_how
from verdict import words

TEMPLATES = Path(__file__).parent / "templates"
LONG = re.compile(r"\S{40}(?=\S)")
EXIT_CODES = (
    ("0", "every experiment came out as expected"),
    ("1", "at least one FAIL, or a test error"),
    ("10", "no FAIL, but at least one INCONCLUSIVE"),
    ("11", "refused before any fault"),
    ("12", "nothing of these, but a risk that --chaos-fail-on-risk asks for"),
)


@dataclass(frozen=True, slots=True)
class Section:
    """An experiment and the id that links lead to. Ids are markup: they stand in attributes, where no word may be broken."""

    ident: Markup
    experiment: Experiment

    def trial_ident(self, trial: Trial) -> Markup:
        """Return the id of ``trial``."""
        return self.ident + f"-t{self.experiment.trials.index(trial) + 1}"


def html(report: Report) -> str:
    """Return the page of ``report``."""
    sections = [Section(_whole(f"x{i}-{_slug(e.id)}"), e) for i, e in enumerate(report.experiments, 1)]
    page = _environment().get_template("page.html.j2")
    return page.render(report=report, sections=sections, css=Markup(_css()), exit_codes=EXIT_CODES)  # noqa: S704 - our own file


def _css() -> str:
    return (TEMPLATES / "style.css").read_text(encoding="utf-8")


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60]


def _plot(trial: Trial, ident: str) -> Markup:
    return Markup(plot(trial, ident))  # noqa: S704 - drawn and pruned to known elements by reports.page.plot.svg


def _prose(docstring: str) -> Markup:
    """Return a docstring's text with its ``code`` marked up."""
    return Markup(re.sub(r"``(.+?)``", r"<code>\1</code>", str(escape(text.clean(docstring)))))  # noqa: S704 - escaped first


def _finalize(value: object) -> object:
    """Spell out unprintable characters of every text on the page, and let long words break; markup of our own stays."""
    if value is None:
        return words.NONE
    return _breakable(text.clean(value)) if isinstance(value, str) and not isinstance(value, Markup) else value


def _breakable(shown: str) -> str:
    """Return text in which a word of more than 40 characters may be broken, even where no style sheet says so."""
    if LONG.search(shown) is None:
        return shown
    parts = (LONG.sub(lambda word: f"{word[0]}\0", shown)).split("\0")
    return Markup("<wbr>").join(parts)


def _whole(value: str) -> Markup:
    """Return text for where no element may stand: an attribute, the page's title."""
    return escape(text.clean(value))


def _painted(markup: str) -> Markup:
    return Markup(palette.painted(markup))  # noqa: S704 - rendered by our own templates, already escaped


def _environment() -> Environment:
    env = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    env.filters |= {
        "seconds": words.seconds,
        "at": text.at_seconds,
        "percent": words.percent,
        "num": words.number,
        "quantity": text.quantity,
        "bytes": text.bytes_of,
        "clock": text.clock,
        "label": names.label,
        "prose": _prose,
        "ink": palette.ink,
        "painted": _painted,
        "whole": _whole,
    }
    env.globals |= {"no_cause": NO_CAUSE}
    env.globals |= {"retry_columns": retries.COLUMNS, "retry_cells": retries.cells}
    env.globals |= {
        "view": views,
        "of_users": users,
        "plot": _plot,
        "caption": caption,
        "interval": words.interval,
        "measured_how": measured_how,
    }
    return env
