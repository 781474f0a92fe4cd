"""Verdicts and histories in; HTML, JSON, JUnit and Markdown out. Nothing is decided here.

:mod:`reports.build` turns run folders (:mod:`reports.trial`) into :class:`reports.model.Report`, which is ``report.json``. What
:mod:`reports.page` makes is a function of it alone: HTML, Markdown, JUnit. :func:`render` writes all four.
"""

from reports.build import Context, build
from reports.coverage import AtHand
from reports.known import KnownFail
from reports.model import NotTested, Report
from reports.output import render, write
from reports.risk import Risk

__all__ = ["AtHand", "Context", "KnownFail", "NotTested", "Report", "Risk", "build", "render", "write"]
