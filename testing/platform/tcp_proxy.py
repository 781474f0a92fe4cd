"""A TCP proxy that can be cut or slowed down: for a network that fails between two parties that do not."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from testing.platform.targets import region_of

HTTPS = 443


class Proxy:
    """Forwards connections to ``(host, port)``; while it is cut, it accepts none and forwards nothing.

    ``late_s``: how long everything that comes back is held up.
    """

    late_s = 0.0

    def __init__(self, host: str, port: int) -> None:
        self._to = (host, port)
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._listener = self._listen(0)
        self.port = int(self._listener.getsockname()[1])

    def _listen(self, port: int) -> socket.socket:
        listener = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
        return listener

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = socket.create_connection(self._to, timeout=5)
                far.settimeout(None)
                with self._lock:
                    self._open |= {near, far}
                threading.Thread(target=self._pump, args=(near, far, lambda: 0.0), daemon=True).start()
                threading.Thread(target=self._pump, args=(far, near, lambda: self.late_s), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, late_s: Callable[[], float]) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                time.sleep(late_s())
                sink.sendall(data)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Refuse new connections and break those that are open."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            broken, self._open = self._open, set()
        for end in broken:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    @contextmanager
    def cut(self) -> Iterator[None]:
        """Be out of reach for the length of the block."""
        self.close()
        try:
            yield
        finally:
            self._listener = self._listen(self.port)


def through(proxy: Proxy, target: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return what a target file needs changed to reach its cluster through ``proxy``; the kubeconfig is written to ``folder``."""
    kubeconfig = yaml.safe_load(Path(region_of(target)["kubeconfig"]).read_text())
    server = f"https://127.0.0.1:{proxy.port}"
    for cluster in kubeconfig["clusters"]:
        cluster["cluster"] |= {"server": server, "tls-server-name": urlsplit(region_of(target)["server"]).hostname}
    file = folder / "kubeconfig"
    file.write_text(yaml.safe_dump(kubeconfig))
    return {"server": server, "kubeconfig": str(file)}


def proxy_to(target: dict[str, Any]) -> Proxy:
    """Return a proxy in front of the API server of a target file's content."""
    server = urlsplit(region_of(target)["server"])
    return Proxy(str(server.hostname), server.port or HTTPS)
