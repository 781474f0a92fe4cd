"""versitygw, a real S3 server, as a process on 127.0.0.1: for tests, benchmarks and runs on one machine.

On a cluster the same program runs in pods (manifests/training/s3/s3.yaml).
"""

import hashlib
import os
import random
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Self
from urllib.error import URLError

from workloads.storage.errors import StoreRefused, StoreUnavailable

MODULE = Path(__file__).resolve().parents[2] / "cluster" / "go" / "s3"
_COMMAND = "github.com/versity/versitygw/cmd/versitygw"
ACCESS_KEY, SECRET_KEY = "aftershock", "aftershock-local"  # of a server that only 127.0.0.1 reaches
START_S = 60.0  # it takes less than one; only ends what would hang
PORTS = (21_000, 29_000)  # below those of connections and of NodePorts


def program() -> Path:
    """Return versitygw from PATH, else built from its Go module (a minute) and kept; raises StoreRefused where neither is possible."""
    found = shutil.which("versitygw")
    return Path(found) if found else _built()


def _built() -> Path:
    name = hashlib.sha256((MODULE / "go.mod").read_bytes() + (MODULE / "go.sum").read_bytes()).hexdigest()[:16]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "aftershock" / "s3" / name
    if (cache / "versitygw").exists():
        return cache / "versitygw"
    go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
    if go is None:
        raise StoreRefused(
            "versitygw: neither the program nor Go to build it is on PATH; install Go 1.26 or newer, or put versitygw on PATH"
        )
    cache.mkdir(parents=True, exist_ok=True)
    unfinished = cache / f"versitygw.{os.getpid()}"
    build = [go, "build", "-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", str(unfinished), _COMMAND]
    done = subprocess.run(build, cwd=MODULE, env={**os.environ, "CGO_ENABLED": "0"}, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise StoreRefused(f"versitygw: the Go module {MODULE} did not build: {done.stderr[-500:]}")
    return unfinished.replace(cache / "versitygw")


class S3Server:
    """One server with its objects and their older versions below ``folder``; a context manager that ends it."""

    def __init__(self, folder: Path) -> None:
        self.objects, self.versions = folder / "objects", folder / "versions"
        self.log = folder / "server.log"
        for path in (self.objects, self.versions):
            path.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def url(self, bucket: str, prefix: str = "") -> str:
        """Return the address of a store on this server, as workloads.storage.store.open_store takes it."""
        return f"s3://{bucket}/{prefix}?endpoint={self.endpoint}"

    def start(self) -> None:
        """Start the server and wait until it answers; raises StoreUnavailable with its log if it does not within a minute."""
        argv = [str(program()), "--port", f"127.0.0.1:{self.port}", "--health", "/health", "--access", ACCESS_KEY, "--secret", SECRET_KEY]
        with self.log.open("ab") as log:
            argv += ["posix", "--versioning-dir", str(self.versions), str(self.objects)]
            self._process = subprocess.Popen(argv, stdout=log, stderr=subprocess.STDOUT)
        if not came_up(self._process, self._healthy, START_S):
            self.stop()
            raise StoreUnavailable(f"versitygw on port {self.port} did not answer within {START_S:g} s: {self.log.read_text()[-500:]}")

    def stop(self, how: signal.Signals = signal.SIGKILL) -> None:
        """End the server, by default without notice: what it acknowledged stays in its folders."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(START_S)
            self._process = None

    def path_of(self, bucket: str, key: str) -> Path:
        """Return the file that holds the newest version of an object: to damage it below the server, as a disk would."""
        return self.objects / bucket / key

    def _healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.endpoint}/health", timeout=1) as answer:  # noqa: S310  an http address made above
                return bool(answer.status == 200)
        except (URLError, OSError):
            return False


def came_up(process: "subprocess.Popen[bytes]", answers: Callable[[], bool], timeout_s: float) -> bool:
    """Wait until a server that was just started answers; return False if it ended or did not within ``timeout_s``."""
    deadline = time.monotonic() + timeout_s
    while not answers():
        if time.monotonic() > deadline or process.poll() is not None:
            return False
        time.sleep(0.05)
    return True


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody has now, and that the kernel gives to nobody who asks for any: it stays free."""
    while True:
        port = random.SystemRandom().randrange(*PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
