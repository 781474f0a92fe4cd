"""The ledger's server, as it is reached through the API server: its runs, and its clock."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from history.errors import NoData
from history.ledgers import LedgerWriter, training_rows
from kube import proxy
from kube.client import Platform
from workloads.training.telemetry.ledger import DONE


@dataclass(frozen=True, slots=True)
class RemoteLedger:
    """Ledgers that ``service`` (name:port) of a namespace keeps. What does not answer raises NoData."""

    platform: Platform
    namespace: str
    service: str

    def ask(self, path: str, **query: str) -> bytes | None:
        """Return what it answers to ``GET path``; None: there is no such thing."""
        return proxy.get(self.platform, self.namespace, self.service, path, **query)

    def server_ns(self) -> int | None:
        """Return the time by its server's clock (ns UTC); None: it does not tell."""
        told = (self.ask("time") or b"").strip()
        return int(told) if told.isdigit() else None

    def rows(self, run: str, offset: int = 0) -> bytes:
        """Return the lines of ``run`` from byte ``offset`` on."""
        return self.ask(f"runs/{run}", offset=str(offset)) or b""

    def ended(self, run: str) -> bool:
        """Tell whether the ledger of ``run`` says that its last step was done; False while nobody answers."""
        try:
            return DONE.encode() in self.rows(run)
        except NoData:
            return False

    def keep_reference(self, run: str, run_dir: Path) -> None:
        """Keep the rows of the attempt of ``run`` that ended as the reference: an earlier attempt was cut short."""
        rows = list(training_rows(self.rows(run)))
        ended = max((row["attempt"] for row in rows if row["kind"] == "end" and DONE in row["detail"]), default=None)
        writer = LedgerWriter(run_dir, "reference", "runner")
        writer.append([row for row in rows if row["attempt"] == ended])
        writer.close()
