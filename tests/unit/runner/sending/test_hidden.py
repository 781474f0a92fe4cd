"""No secret that this process knows reaches anybody who is told, in whatever form their texts are written."""

from __future__ import annotations

from pathlib import Path

import pytest

from reports import Report
from reports.past import Past
from runner.sending.settings import Grafana, Sending, Webhook
from runner.sending.tell import redacted, tell
from target.secrets import known
from testing.pages.receivers import chat, grafana, receiving

TOKEN = "glsa_0123456789"  # noqa: S105 - of the server that the test starts
SECRETS = ("part%one:two", "<part@one>&two", "_part_*one*[two]", "part|one`two~")


@pytest.fixture(autouse=True)
def _only_mine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known, "_known", set())


def spoken(report: Report, words: str) -> Report:
    """Return ``report`` with ``words`` wherever somebody else's may stand: its sentence, and each experiment's."""
    experiments = []
    for one in report.experiments:
        trials = tuple(trial.model_copy(update={"sentence": words}) for trial in one.trials)
        experiments.append(one.model_copy(update={"title": words, "sentence": words, "trials": trials}))
    missing = tuple(item.model_copy(update={"reason": words}) for item in report.not_tested)
    return report.model_copy(update={"sentence": words, "experiments": tuple(experiments), "not_tested": missing})


def told(report: Report, folder: Path, link: str = "") -> str:
    """Return everything that everybody is told."""
    summary = folder / "summary"
    with receiving(chat) as hook, receiving(grafana(TOKEN)) as place:
        sending = Sending(github=True, webhook=Webhook(hook.url), grafana=Grafana(place.url, TOKEN), link=link)
        lines = tell(sending, report, {}, {"GITHUB_STEP_SUMMARY": str(summary)})
    assert not [line for line in lines if line.startswith("not told")]
    return "\n".join([*lines, summary.read_text(), *(str(asked.body) for asked in (*hook.seen, *place.seen))])


@pytest.mark.parametrize("secret", SECRETS)
def test_one_that_a_receiver_would_escape_is_hidden(report: Report, tmp_path: Path, secret: str) -> None:
    known.remember([secret])
    said = told(spoken(report, f"The key is {secret}, twice."), tmp_path)
    shown = said.split("The key is")[1:]
    assert shown
    assert not [part for part in shown if "redacted" not in part[: len(" \\[redacted")]]


@pytest.mark.parametrize("before", range(985, 1000, 5))
def test_one_that_a_receiver_would_cut_is_hidden(report: Report, tmp_path: Path, before: int) -> None:
    known.remember(["planted-secret-of-many-signs"])
    assert "plant" not in told(spoken(report, "x" * (before - 1) + " planted-secret-of-many-signs"), tmp_path)


def test_one_in_the_link_is_hidden(report: Report, tmp_path: Path) -> None:
    known.remember(["planted&secret"])
    said = told(report, tmp_path, "https://ci.example/?a=planted&secret")
    assert "planted" not in said
    assert "https://ci.example/?a=[redacted]" in said


def test_without_a_secret_the_report_is_as_it_was(report: Report) -> None:
    past = report.model_copy(update={"past": Past(place="x", notes=("y",)), "incomplete": "z"})
    assert redacted(past) == past


def test_nobody_is_told_where_a_secret_is_a_word_of_the_report_itself(report: Report, tmp_path: Path) -> None:
    known.remember([report.experiments[0].counts_as.value, "INCONCLUSIVE"])
    (line,) = tell(Sending(github=True), report, {}, {"GITHUB_STEP_SUMMARY": str(tmp_path / "summary")})
    assert line.startswith("nobody was told how the session ended: ")
    assert not (tmp_path / "summary").exists()
