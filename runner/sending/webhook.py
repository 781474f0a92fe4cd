"""A webhook: how the session ended, as JSON. ``text`` alone is what servers of chats read (Slack, Mattermost); the rest is for programs."""

from __future__ import annotations

import re

from history.result import Verdict
from reports.known import waived_runs
from reports.model import Report
from reports.page.past import headline
from reports.text import one_line
from runner.sending.post import LIMIT_S, post
from runner.sending.settings import Webhook

LONGEST = 1000
_OBEYED = re.compile(r"[@<]|\](?=\()")
"""Where a chat would see a mention or a link in somebody else's words."""


def message(report: Report, link: str) -> dict[str, object]:
    """Return what is sent: ``text`` for people, then verdict, sentence, counts, what changed, target, times and link."""
    run, sentence, changed = report.run, one_line(report.sentence, LONGEST), _changed(report)
    lines = (f"{report.verdict}: {sentence}", one_line(report.summary, LONGEST), changed)
    return {
        "text": "\n".join([*(_OBEYED.sub("\\g<0>\u200b", line) for line in lines if line), *([link] if link else [])]),
        "verdict": report.verdict.value,
        "sentence": sentence,
        "counts": _counts(report),
        "changed": changed,
        "target": list(run.target),
        "context": list(run.context),
        "started": run.started,
        "finished": run.finished,
        "link": link,
    }


def _changed(report: Report) -> str:
    """Return what changed since earlier nights, or why nobody knows; empty: nobody asked."""
    past = report.past
    return one_line(headline(past.changes) if past.changes else " ".join(past.notes), LONGEST) if past else ""


def _counts(report: Report) -> dict[str, int]:
    counted = {verdict.value.lower(): sum(one.counts_as is verdict for one in report.experiments) for verdict in Verdict}
    return counted | {"waived_runs": len(waived_runs(report.known_fails)), "not_tested": len(report.not_tested)}


def send(webhook: Webhook, report: Report, link: str, limit_s: float = LIMIT_S) -> str:
    """Tell the webhook and return a sentence; ``report`` and ``link`` hold no secret any more. Raises NotSent."""
    post("the webhook", webhook.url, message(report, link), webhook.headers, limit_s)
    return "webhook: told how the session ended"
