"""Grafana: a region of time for each fault, by ``POST /api/annotations``, which has been there since Grafana 6.4.

Source: Grafana's "Annotations HTTP API". Times are ms since 1970 (UTC); without a dashboard, an annotation is the organization's, and any
dashboard can show it by its tags.
"""

from __future__ import annotations

import html
import time
from collections.abc import Iterator
from datetime import datetime

from reports.model import Experiment, Report, Trial
from reports.text import one_line
from runner.sending.post import LIMIT_S, NotSent, post
from runner.sending.settings import Grafana
from verdict.words import count

LONGEST = 1000
LONGEST_TAG = 100
"""Of one tag, in Grafana's database."""
WHOLE_S = 30.0
"""How long all annotations of a session may take."""


def regions(grafana: Grafana, report: Report, link: str) -> list[dict[str, object]]:
    """Return one annotation a fault, from its begin to its end; of a fault whose end was not seen, its begin alone."""
    place: dict[str, object] = {"dashboardUID": grafana.dashboard} if grafana.dashboard else {}
    place |= {} if grafana.panel is None else {"panelId": grafana.panel}
    target = ", ".join(report.run.target)
    return [place | one for experiment in report.experiments for one in _of_faults(experiment, target, link)]


def _of_faults(experiment: Experiment, target: str, link: str) -> Iterator[dict[str, object]]:
    tags = ["aftershock", experiment.id, f"target:{target}"]
    for trial in experiment.trials:
        if trial.fault.started is None:
            continue
        told: dict[str, object] = {"time": _ms(trial.fault.started), "text": _text(experiment, trial, link)}
        told |= {} if trial.fault.ended is None else {"timeEnd": _ms(trial.fault.ended)}
        yield told | {"tags": [one_line(tag, LONGEST_TAG) for tag in (*tags, f"verdict:{trial.verdict}")]}


def _text(experiment: Experiment, trial: Trial, link: str) -> str:
    """Return what Grafana shows, as HTML."""
    end = "" if trial.fault.ended else " The fault's end was not seen."
    said = html.escape(one_line(f"{experiment.title} (trial {trial.trial}): {trial.verdict}: {trial.sentence}{end}", LONGEST), quote=False)
    return said + (f' <a href="{html.escape(link)}">Report</a>' if link else "")


def _ms(moment: str) -> int:
    return round(datetime.fromisoformat(moment).timestamp() * 1000)


def send(grafana: Grafana, report: Report, link: str, limit_s: float = LIMIT_S, whole_s: float = WHOLE_S) -> str:
    """Annotate all faults and return a sentence; the first one that is not accepted ends it. Raises NotSent.

    ``report`` and ``link`` hold no secret any more.
    """
    wanted, until_s = regions(grafana, report, link), time.monotonic() + whole_s
    for sent, one in enumerate(wanted):
        left_s = until_s - time.monotonic()
        try:
            if left_s <= 0:
                raise NotSent(f"Grafana took longer than {whole_s:g} s for all of them")
            headers = {"Authorization": f"Bearer {grafana.token}", "Accept": "application/json"}
            post("Grafana", f"{grafana.url.rstrip('/')}/api/annotations", one, headers, min(limit_s, left_s))
        except NotSent as error:
            raise NotSent(f"{sent} of {count(len(wanted), 'annotation')} made: {error}") from None
    return f"Grafana: {count(len(wanted), 'annotation')} made"
