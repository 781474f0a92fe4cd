"""How templates are filled: every text escaped, unprintable characters spelled out, long words breakable."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from history.layout import NO_CAUSE
from reports import names, retries, text
from reports.night import harm
from reports.page import first, matrix_view, palette, past, users, views
from reports.page.plot import caption, legend_of
from reports.page.quality import measured_how
from verdict import words

TEMPLATES = Path(__file__).parent / "templates"
LONG = re.compile(r"\S{40}(?=\S)")


def whole(value: str) -> Markup:
    """Return text for where no element may stand: an attribute, the page's title."""
    return escape(text.clean(value))


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


def _painted(markup: str) -> Markup:
    return Markup(palette.painted(markup))  # noqa: S704 - rendered by our own templates, already escaped


@cache
def environment() -> Environment:
    """Return the environment of all templates."""
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
        "whole": whole,
        "unbroken": first.unbroken,
    }
    env.globals |= {"no_cause": NO_CAUSE, "past": past, "retry_columns": retries.COLUMNS, "retry_cells": retries.cells}
    env.globals |= {
        "view": views,
        "first": first,
        "matrix": matrix_view,
        "of_users": users,
        "worst_trial": harm.worst_trial,
        "legend_of": legend_of,
        "caption": caption,
        "interval": words.interval,
        "measured_how": measured_how,
    }
    return env
