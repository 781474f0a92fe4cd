"""Tells everybody who was asked for. What one of them does not take is a sentence, and the others are told all the same.

Secrets are taken out of the report first: once a receiver has cut or escaped a text, a secret in it is not found by its value any more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from pydantic import ValidationError

from history.errors import AftershockError
from reports.model import Report
from reports.page.markdown import markdown
from runner.redact import redact_object
from runner.sending import github, grafana, webhook
from runner.sending.link import link_of
from runner.sending.settings import Sending
from target.secrets.hiding import redact_text


def tell(sending: Sending, report: Report, files: Mapping[str, Path], environment: Mapping[str, str]) -> list[str]:
    """Return the lines for the terminal: GitHub's workflow commands, and what was told to whom, or why not.

    ``files`` has the file of each experiment.
    """
    try:
        shown = redacted(report)
    except ValidationError:  # its text may quote what was not hidden
        return ["nobody was told how the session ended: the report cannot be read with the known secrets hidden; is one a common word?"]
    lines = [str(one) for one in github.annotated(shown, files, environment)] if sending.github else []
    return lines + [_done(one) for one in _wanted(sending, shown, environment)]


def redacted(report: Report) -> Report:
    """Return ``report`` without secrets. Raises ValidationError: one stands where only certain words may."""
    return Report.model_validate(redact_object(report.model_dump(mode="json")))


def _wanted(sending: Sending, report: Report, environment: Mapping[str, str]) -> Iterator[Callable[[], str]]:
    link = redact_text(link_of(sending.link, environment))
    if sending.github:
        yield lambda: github.write_summary(markdown(report), environment)
    if (hook := sending.webhook) is not None:
        yield lambda: webhook.send(hook, report, link)
    if (place := sending.grafana) is not None:
        yield lambda: grafana.send(place, report, link)


def _done(send: Callable[[], str]) -> str:
    try:
        return send()
    except AftershockError as error:
        return f"not told: {error}"
