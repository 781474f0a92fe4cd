"""Keeps ledgers on a machine of its own: ``python -m workloads.training.telemetry.ledger_server FOLDER [--port N]``.

POST /runs/RUN with lines appends them to FOLDER/RUN.jsonl and answers 204 once they are synced to disk; GET /runs/RUN returns the file,
GET /runs/RUN?offset=N what stands in it from byte N on; GET /time the time by this machine's clock (ns UTC, in digits); GET /health answers
200. It knows nothing of what the lines mean, but writes into each that is a JSON object when it came (``received_ns``): so much is known of
the clock of a writer that never asked for the time. When there are more runs than it keeps, the one that nobody has written or asked for in
the longest time goes.
"""

import argparse
import os
import re
import sys
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from workloads.training.telemetry.ledger import FileSink

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
KEEP = 1000
_LARGEST = 64 << 20  # bytes of one request


class LedgerServer(ThreadingHTTPServer):
    """The server; ``folder`` must exist."""

    def __init__(self, address: tuple[str, int], folder: Path, keep: int = KEEP) -> None:
        super().__init__(address, Handler)
        self.folder, self.keep = folder, keep
        self.lock = threading.Lock()

    def make_room(self) -> None:
        """Remove the runs that nobody has written or asked for in the longest time, so that there is room for one more."""
        runs = sorted(self.folder.glob("*.jsonl"), key=lambda path: path.stat().st_mtime)
        for path in runs[: max(0, len(runs) - self.keep + 1)]:
            path.unlink()


class Handler(BaseHTTPRequestHandler):
    """One connection of a rank or a reader."""

    server: LedgerServer
    protocol_version = "HTTP/1.1"  # connections are kept
    disable_nagle_algorithm = True  # or a body waits up to 40 ms for the acknowledgement of its head, and clocks are measured no finer

    def do_POST(self) -> None:
        """Append the lines of the body durably."""
        body, path = self._body(), self._ledger()
        if path is None or not body.endswith(b"\n"):
            return self._answer(HTTPStatus.BAD_REQUEST)
        try:
            self._append(path, received(body, time.time_ns()))
        except OSError as error:
            return self._answer(HTTPStatus.INSUFFICIENT_STORAGE, str(error).encode())
        return self._answer(HTTPStatus.NO_CONTENT)

    def do_GET(self) -> None:
        """Return a run's ledger."""
        if self.path == "/health":
            return self._answer(HTTPStatus.OK, b"ok\n")
        if self.path == "/time":
            return self._answer(HTTPStatus.OK, b"%d\n" % time.time_ns())
        path, offset = self._ledger(), parse_qs(urlsplit(self.path).query).get("offset", ["0"])[-1]
        if path is None or not path.exists():
            return self._answer(HTTPStatus.NOT_FOUND)
        if not offset.isdecimal():
            return self._answer(HTTPStatus.BAD_REQUEST)
        path.touch()  # it is used
        with path.open("rb") as file:
            file.seek(int(offset))
            return self._answer(HTTPStatus.OK, file.read())

    def log_message(self, *_: object) -> None:
        """Say nothing about single requests."""

    def _ledger(self) -> Path | None:
        """Return where the lines of the run in the path are kept; None for a name that can be none."""
        run = unquote(urlsplit(self.path).path.removeprefix("/runs/")) if self.path.startswith("/runs/") else ""
        return self.server.folder / f"{run}.jsonl" if _NAME.fullmatch(run) else None

    def _body(self) -> bytes:
        """Return the request's body; empty if it is too large."""
        size = int(self.headers.get("Content-Length", 0))
        return self.rfile.read(size) if size <= _LARGEST else b""

    def _append(self, path: Path, lines: bytes) -> None:
        """Append lines durably. Raises OSError."""
        with self.server.lock:
            if not path.exists():
                self.server.make_room()
            FileSink(path).write(lines)

    def _answer(self, status: HTTPStatus, body: bytes = b"") -> None:
        self.send_response(status)
        if status is not HTTPStatus.NO_CONTENT:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def received(lines: bytes, t_ns: int) -> bytes:
    """Return ``lines`` with ``received_ns`` in each that may be a JSON object; it stands last, so it wins over a writer's own."""
    return b"".join(_stamped(line, t_ns) for line in lines.splitlines(keepends=True))


def _stamped(line: bytes, t_ns: int) -> bytes:
    text = line.strip()
    if not (text.startswith(b"{") and text.endswith(b"}")):
        return line
    inner = text[1:-1].strip()
    return b'{%b%b"received_ns": %d}\n' % (inner, b", " if inner else b"", t_ns)


def main() -> int:
    """Serve until ended; exit code 2 if the folder is missing or not writable."""
    parser = argparse.ArgumentParser(
        prog="python -m workloads.training.telemetry.ledger_server", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--address", default="0.0.0.0", help="address to listen on (default: %(default)s)")  # noqa: S104  it serves other pods
    parser.add_argument("--port", type=int, default=8100, help="0: a free one; it is printed (default: %(default)s)")
    parser.add_argument(
        "--keep", type=int, default=KEEP, help="runs; beyond, the one not used for longest is removed (default: %(default)s)"
    )
    options = parser.parse_args()
    if not options.folder.is_dir() or not os.access(options.folder, os.W_OK):
        print(f"ledger_server: {options.folder} is not a folder that user {os.getuid()} can write to; mount or create it", file=sys.stderr)
        return 2
    with LedgerServer((options.address, options.port), options.folder, options.keep) as server:
        print(server.server_port, flush=True)
        server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
