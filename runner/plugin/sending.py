"""Telling others how the session ended: its options, and what happens when it has. Off by default, and never part of the exit code."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from runner.sending.settings import Grafana, Sending, Webhook
from target.secrets.credentials import USERINFO
from target.secrets.known import remember

if TYPE_CHECKING:
    from runner.plugin.session import Session

DEFAULTS = dict.fromkeys(("link", "webhook", "webhook_header", "grafana", "grafana_token_env", "grafana_dashboard", "grafana_panel"), "")


def add_sending(group: pytest.OptionGroup) -> None:
    """Declare the options."""
    group.addoption("--chaos-github", action="store_true", help="in GitHub Actions: annotate what did not hold, write the step's summary")
    group.addoption("--chaos-link", metavar="URL", help="where people find the report (default: the page of the CI job)")
    group.addoption("--chaos-webhook", metavar="URL", help="POST how the session ended, as JSON; AFTERSHOCK_WEBHOOK keeps the URL a secret")
    group.addoption("--chaos-webhook-header", metavar="NAME=VARIABLE", help="a header of that POST, from an environment variable")
    group.addoption("--chaos-grafana", metavar="URL", help="annotate each fault in this Grafana")
    group.addoption("--chaos-grafana-token-env", metavar="VARIABLE", help="environment variable that holds a token of its service account")
    group.addoption("--chaos-grafana-dashboard", metavar="UID", help="annotate on this dashboard alone (default: for all, by tags)")
    group.addoption("--chaos-grafana-panel", metavar="ID", help="annotate on this panel of the dashboard alone")


def read_sending(github: bool, text: Callable[[str], str]) -> Sending:
    """Return who is told; ``text`` gives the value of an option. Raises pytest.UsageError: a value that is none, a variable not set."""
    given = {name: text(name) for name in DEFAULTS}
    for name, of in (("webhook_header", "webhook"), ("grafana_token_env", "grafana"), ("grafana_dashboard", "grafana")):
        if given[name] and not given[of]:
            raise pytest.UsageError(f"{_option(name)} is of no use without {_option(of)}")
    if given["grafana_panel"] and not given["grafana_dashboard"]:
        raise pytest.UsageError("--chaos-grafana-panel is of no use without --chaos-grafana-dashboard")
    link = _url("link", given["link"]) if given["link"] else ""
    return Sending(github, _webhook(given), _grafana(given), link)


def _webhook(given: Mapping[str, str]) -> Webhook | None:
    if not given["webhook"]:
        return None
    url = _url("webhook", given["webhook"])
    remember([url, urlsplit(url).path])
    name, _, variable = given["webhook_header"].partition("=")
    if bool(name) != bool(variable):
        raise pytest.UsageError(f"--chaos-webhook-header: {given['webhook_header']!r} is not NAME=VARIABLE, such as X-Token=HOOK_TOKEN")
    return Webhook(url, {name: _secret("webhook_header", variable)} if name else {})


def _grafana(given: Mapping[str, str]) -> Grafana | None:
    if not given["grafana"]:
        return None
    url, panel = _url("grafana", given["grafana"]), given["grafana_panel"]
    if not given["grafana_token_env"]:
        raise pytest.UsageError("--chaos-grafana needs the token of a service account: name its variable with --chaos-grafana-token-env")
    if panel and not panel.isdecimal():
        raise pytest.UsageError(f"--chaos-grafana-panel: {panel!r} is not the number of a panel")
    token = _secret("grafana_token_env", given["grafana_token_env"])
    return Grafana(url, token, given["grafana_dashboard"], int(panel) if panel else None)


def _url(name: str, url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:  # its text quotes the URL, which may be a secret
        raise pytest.UsageError(f"{_option(name)}: not a URL: its host cannot be read") from None
    if USERINFO.search(url):
        raise pytest.UsageError(f"{_option(name)}: a URL must not hold credentials")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise pytest.UsageError(f"{_option(name)}: not the URL of a server; it begins with https:// or http://")
    return url


def _secret(option: str, variable: str) -> str:
    value = os.environ.get(variable, "").strip()
    if not value:
        raise pytest.UsageError(f"{_option(option)}: the environment variable {variable} is not set, or is empty")
    remember([value])
    return value


def _option(name: str) -> str:
    return f"--chaos-{name.replace('_', '-')}"


def tell_all(chaos: Session) -> list[str]:
    """Tell everybody who was asked for how the session ended, and return the lines that say so; nobody is told of a dry run."""
    sending = chaos.options.sending
    if not sending.wanted or chaos.options.dry_run or not (chaos.outcomes or chaos.built):
        return []
    if chaos.built is None:
        return ["nobody was told how the session ended: there is no report"]
    from runner.redact import of_environment  # noqa: PLC0415 - judging's libraries are loaded only where they are needed
    from runner.sending.tell import tell  # noqa: PLC0415 - likewise

    remember(of_environment(os.environ))
    files = {name: experiment.located.path for name, experiment in chaos.at_hand.items()}
    return tell(sending, chaos.built, files, os.environ)
