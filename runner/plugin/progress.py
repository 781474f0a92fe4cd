"""What the person at the terminal sees while a run goes on: one line a phase, and on a terminal one live line."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import pytest
from rich.console import Console
from rich.live import Live
from rich.text import Text

from runner.messages import Kind, Message

EVERY_S = 30.0
"""Without a terminal a phase that lasts says what it sees this often (s)."""


class Progress:
    """Shows the messages of one session's runs."""

    def __init__(self, config: pytest.Config) -> None:
        self._plugins = config.pluginmanager
        self._live: Live | None = None
        self._phase = ""
        self._said_s = 0.0

    @property
    def _reporter(self) -> pytest.TerminalReporter | None:
        reporter: pytest.TerminalReporter | None = self._plugins.get_plugin("terminalreporter")
        return reporter

    @contextmanager
    def during(self) -> Iterator[None]:
        """Write to the terminal while pytest would capture; on a terminal keep a live line."""
        capture: Any = self._plugins.get_plugin("capturemanager")
        with capture.global_and_fixture_disabled() if capture else nullcontext():
            if self._reporter is None or not sys.stdout.isatty() or self._reporter.verbosity < 0:
                yield
                return
            self._reporter.ensure_newline()
            with Live(console=Console(file=sys.stdout), transient=True, refresh_per_second=4) as self._live:
                yield
            self._live = None

    def line(self, text: str, **markup: bool) -> None:
        """Write one line."""
        if self._live is not None:
            self._live.console.print(Text(text))
        elif self._reporter is not None and self._reporter.verbosity >= 0:
            self._reporter.ensure_newline()
            self._reporter.write_line(text, **markup)

    def show(self, message: Message) -> None:
        """Show one message of the child."""
        if message.kind is Kind.PHASE:
            self._phase, self._said_s = message.text("name"), 0.0
            self._now(f"  {self._phase}")
        elif message.kind is Kind.SEEN:
            self._seen(message)
        elif message.kind is Kind.DONE:
            self.line(f"  {message.text('name'):<12} {float(message.fields.get('seconds', 0)):6.1f} s  {message.text()}".rstrip())
        elif message.kind is Kind.NOTE:
            self.line(f"  {message.text()}")
        elif message.kind is Kind.VERDICT:
            self.line(f"  {message.text('verdict')}: {message.text('sentence')}")
        elif message.kind is Kind.RESOLVED:
            for text in message.fields.get("lines", []):
                self.line(f"  {text}")

    def _seen(self, message: Message) -> None:
        elapsed_s = float(message.fields.get("seconds", 0))
        text = f"  {self._phase:<12} {elapsed_s:6.1f} s  {countdown(message)}{message.text()}"
        self._now(text)
        if self._live is None and elapsed_s - self._said_s >= EVERY_S:
            self._said_s = elapsed_s
            self.line(text)

    def _now(self, text: str) -> None:
        if self._live is not None:
            self._live.update(Text(text))


def countdown(message: Message) -> str:
    """Return how much of the RTO's budget is left. It says nothing of whether users are served: what is seen stands beside it."""
    if "left_s" not in message.fields:
        return ""
    budget_s, left_s = (float(message.fields[name]) for name in ("rto_s", "left_s"))
    return f"RTO budget {budget_s:g} s: {f'{left_s:.0f} s left' if left_s > 0 else f'ended {abs(left_s):.0f} s ago'}, "
