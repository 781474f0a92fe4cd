"""A ledger's server on this machine, for as long as a test or a bench needs it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from testing.answering import answering
from workloads.training.telemetry.ledger_server import LedgerServer


@contextmanager
def serving(folder: Path, **more: int) -> Iterator[LedgerServer]:
    """Serve ``folder`` on a free port of the loopback address."""
    server = LedgerServer(("127.0.0.1", 0), folder, **more)
    with answering(server):
        yield server
