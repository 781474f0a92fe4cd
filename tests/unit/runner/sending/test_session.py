"""A session that tells others how it ended: off by default, secrets from the environment alone, never part of the exit code."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from reports import Report
from runner.plugin.sending import DEFAULTS, read_sending, tell_all
from runner.plugin.session_end import exit_status, write_report
from runner.sending.link import link_of
from runner.sending.settings import Sending
from target.secrets.hiding import redact_text
from testing.pages.receivers import Says, chat, grafana, receiving
from tests.unit.runner.test_nights import session

VARIABLE = "GRAFANA_TOKEN"


def asked(github: bool = False, **given: str) -> Sending:
    return read_sending(github, lambda name: (DEFAULTS | given)[name])


def test_nobody_is_told_by_default(runs: list[Path], tmp_path: Path) -> None:
    chaos = session(tmp_path, runs, nights="", sending=asked())
    write_report(chaos)
    assert not asked().wanted
    assert tell_all(chaos) == []


def test_everybody_who_was_asked_for_is_told(runs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK_TOKEN", "hook-token-1")
    monkeypatch.setenv("GRAFANA_TOKEN", "grafana-token-1")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary"))
    with receiving(chat) as hook, receiving(grafana("grafana-token-1")) as place:
        sending = asked(
            True, webhook=f"{hook.url}/hooks/a-secret", webhook_header="X-Token=HOOK_TOKEN", grafana=place.url,
            grafana_token_env=VARIABLE, link="https://ci.example/7",
        )  # fmt: skip
        chaos = session(tmp_path, runs, nights="", sending=sending)
        assert write_report(chaos)
        lines = tell_all(chaos)
    assert [line.partition(" ")[0] for line in lines] == ["::error", "::warning", "GitHub:", "webhook:", "Grafana:"]
    assert (tmp_path / "summary").read_text() == (tmp_path / "out/latest/summary.md").read_text()
    assert hook.seen[0].headers["x-token"] == "hook-token-1"
    assert hook.seen[0].body["link"] == "https://ci.example/7"
    assert len(place.seen) == 3
    assert not any(secret in str(lines) + str(hook.seen[0].body) for secret in ("token-1", "a-secret"))


def test_a_receiver_that_fails_is_said_and_costs_nothing_else(runs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAFANA_TOKEN", "grafana-token-1")
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    with receiving(lambda _: Says(500)) as broken, receiving(grafana("grafana-token-1")) as place:
        sending = asked(True, webhook=broken.url, grafana=place.url, grafana_token_env=VARIABLE)
        chaos = session(tmp_path, runs, nights="", sending=sending)
        code = exit_status(chaos, 0, write_report(chaos))
        *_, summary, hook, told = tell_all(chaos)
    assert code == exit_status(chaos, 0, rendered=True) == 0
    assert summary == "not told: GitHub: no step summary was written: GITHUB_STEP_SUMMARY is not set; GitHub Actions sets it"
    assert hook.startswith("not told: the webhook at 127.0.0.1:")
    assert told == "Grafana: 3 annotations made"


@pytest.mark.parametrize(
    ("dry_run", "built", "said"), [(True, True, []), (False, False, ["nobody was told how the session ended: there is no report"])]
)
def test_nothing_is_told_of_a_dry_run_and_no_report_is_said(report: Report, dry_run: bool, built: bool, said: list[str]) -> None:
    options = SimpleNamespace(sending=Sending(github=True), dry_run=dry_run)
    chaos: Any = SimpleNamespace(options=options, built=report if built else None, outcomes=["passed"], at_hand={})
    assert tell_all(chaos) == said


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"webhook": "hooks.example/x"}, "--chaos-webhook: not the URL of a server"),
        ({"webhook": "https://me:word@hooks.example"}, "--chaos-webhook: a URL must not hold credentials"),
        ({"webhook": "https://[word"}, "--chaos-webhook: not a URL"),
        ({"webhook": "https://[word].example/x"}, "--chaos-webhook: not a URL"),
        ({"webhook": "https://h.example", "webhook_header": "X-Token"}, "is not NAME=VARIABLE"),
        ({"webhook": "https://h.example", "webhook_header": "X-Token=NOBODY_SET_IT"}, "NOBODY_SET_IT is not set"),
        ({"webhook_header": "X-Token=HOME"}, "--chaos-webhook-header is of no use without --chaos-webhook"),
        ({"grafana": "https://g.example"}, "name its variable with --chaos-grafana-token-env"),
        ({"grafana": "https://g.example", "grafana_token_env": "NOBODY_SET_IT"}, "NOBODY_SET_IT is not set"),
        ({"grafana_dashboard": "x"}, "--chaos-grafana-dashboard is of no use without --chaos-grafana"),
        ({"grafana_panel": "1"}, "--chaos-grafana-panel is of no use without --chaos-grafana-dashboard"),
        (
            {"grafana": "https://g.example", "grafana_token_env": "HOME", "grafana_dashboard": "x", "grafana_panel": "first"},
            "'first' is not the number of a panel",
        ),
        ({"link": "latest"}, "--chaos-link: not the URL of a server"),
    ],
)
def test_wrong_options_are_refused_before_anything_runs(given: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOBODY_SET_IT", raising=False)
    with pytest.raises(pytest.UsageError) as raised:
        asked(**given)
    assert said in str(raised.value)
    assert "word" not in str(raised.value)
    assert raised.value.__suppress_context__ or raised.value.__context__ is None


def test_an_address_that_is_a_secret_is_shown_nowhere() -> None:
    sending = asked(webhook="https://hooks.example/services/T0/B0/abcdefgh")
    assert "abcdefgh" not in repr(sending)
    assert redact_text("POST https://hooks.example/services/T0/B0/abcdefgh") == "POST [redacted]"
    assert redact_text("url: /services/T0/B0/abcdefgh failed") == "url: [redacted] failed"


@pytest.mark.parametrize(
    ("given", "environment", "link"),
    [
        ("", {}, ""),
        ("https://mine.example", {"CI_JOB_URL": "https://gitlab.example/1"}, "https://mine.example"),
        ("", {"CI_JOB_URL": "https://gitlab.example/1"}, "https://gitlab.example/1"),
        ("", {"BUILD_URL": "https://jenkins.example/job/1/"}, "https://jenkins.example/job/1/"),
        (
            "",
            {"GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "o/r", "GITHUB_RUN_ID": "7"},
            "https://github.com/o/r/actions/runs/7",
        ),
        ("", {"GITHUB_SERVER_URL": "https://github.com"}, ""),
    ],
)
def test_the_link_is_the_given_one_or_the_page_of_the_job(given: str, environment: dict[str, str], link: str) -> None:
    assert link_of(given, environment) == link
