"""Start the ranks of this pod by torchrun: ``python -m workloads.training.launch``, configured by TRAIN_* variables.

Looks at stores and settings first, before anything is loaded or written. torchrun restarts the ranks (TRAIN_MAX_RESTARTS). torchrun
itself ends when the pod that holds the rendezvous is gone, and waits without end when that pod's machine is. Then it is started again here
(TRAIN_RELAUNCHES), so that no back-off of a container or pod delays the next try. A rank that was refused or fenced ends it all: trying
again would not help.

Exit codes: 0 done · 1 failed · 2 refused (nothing was changed) · 4 another owner took over · 143 told to leave.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psutil

from workloads.storage.errors import StorageError
from workloads.training.errors import TrainingError
from workloads.training.preflight import finished, preflight
from workloads.training.rendezvous import HOST_INDEX, SILENT_S, STORE_TIMEOUT_S, RendezvousWatch, endpoint
from workloads.training.settings import Settings, from_environment

FINAL = "AFTERSHOCK_TRAINING_FINAL"  # names the file in which a rank leaves an exit code that no restart would change
EXIT_REFUSED, EXIT_TOLD_TO_LEAVE = 2, 128 + signal.SIGTERM
_PAUSE_S, _LOOK_S = 1.0, 5.0


def torchrun(settings: Settings, environment: Mapping[str, str], address: str) -> list[str]:
    """Return torchrun's command line; JOB_COMPLETION_INDEX and POD_IP are used where Kubernetes sets them.

    ``address``: the rendezvous's host:port as it is now; not used where this pod is alone.
    """
    argv = [sys.executable, "-m", "torch.distributed.run", "--nnodes", settings.nodes, "--nproc-per-node", str(settings.ranks_per_pod)]
    argv += ["--max-restarts", str(settings.max_restarts), "--shutdown-timeout", str(settings.grace_s)]
    if settings.rendezvous:
        argv += ["--rdzv-backend", "c10d", "--rdzv-endpoint", address, "--rdzv-id", settings.run_id]
        conf = f"read_timeout={STORE_TIMEOUT_S}"
        if index := environment.get("JOB_COMPLETION_INDEX"):
            conf += f",is_host={int(index == HOST_INDEX)}"
        argv += ["--rdzv-conf", conf]
        if pod_ip := environment.get("POD_IP"):
            argv += ["--local-addr", pod_ip]
    else:
        argv.append("--standalone")
    return [*argv, "-m", "workloads.training"]


class Launcher:
    """torchrun, started again while that helps."""

    def __init__(self, settings: Settings, final: Path) -> None:
        self._settings, self._final = settings, final
        self._child: subprocess.Popen[bytes] | None = None
        self._leaving = False

    def run(self) -> int:
        """Return the exit code of the run in this pod."""
        signal.signal(signal.SIGTERM, self._leave)
        for left in range(self._settings.relaunches, -1, -1):
            code = self._once()
            if code == 0 or self._leaving or self._final.exists() or not left:
                break
            print(f"launch: torchrun ended with {code}; starting it again, {left - 1} more times at most", file=sys.stderr, flush=True)
            time.sleep(_PAUSE_S)
        if self._final.exists():
            return int(self._final.read_text())
        return EXIT_TOLD_TO_LEAVE if self._leaving and code else code

    def _once(self) -> int:
        # torchrun's default shares the rendezvous store with the ranks: a restarted rank may then meet a dead one's address
        share = {"TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "0" if self._settings.share_store else "1"}
        environment = {"OMP_NUM_THREADS": "1", **os.environ, **share, FINAL: str(self._final)}
        rendezvous = self._settings.rendezvous
        address = endpoint(rendezvous, os.environ, lambda: self._leaving) if rendezvous else ""
        self._child = subprocess.Popen(torchrun(self._settings, os.environ, address), env=environment)
        if self._leaving:  # the signal came between two starts
            self._child.terminate()
        return ended(self._child, address)

    def _leave(self, *_: object) -> None:
        self._leaving = True
        if self._child is not None and self._child.poll() is None:
            self._child.send_signal(signal.SIGTERM)


def ended(child: "subprocess.Popen[bytes]", address: str) -> int:
    """Return torchrun's exit code when it has ended; end it, and its ranks, if it waits for a rendezvous that is gone."""
    watch = RendezvousWatch(address) if address else None
    while True:
        with suppress(subprocess.TimeoutExpired):
            return child.wait(_LOOK_S)
        if watch is not None and watch.silent():
            print(f"launch: nobody has answered at {address} for {SILENT_S:g} s; ending torchrun", file=sys.stderr, flush=True)
            _kill_family(child.pid)


def _kill_family(pid: int) -> None:
    """Send SIGKILL to a process and all that it started: ranks have sessions of their own, and would be left."""
    with suppress(psutil.NoSuchProcess):
        parent = psutil.Process(pid)
        for one in (parent, *parent.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                one.kill()


def main() -> int:
    """Look, then launch."""
    try:
        settings = from_environment()
        for warning in preflight(settings):
            print(f"launch: warning: {warning}", file=sys.stderr)
        done = finished(settings)
    except (TrainingError, StorageError) as error:
        print(f"launch: {error}", file=sys.stderr)
        return EXIT_REFUSED
    if done:
        print(f"launch: nothing to do, the run is finished: {done}", file=sys.stderr)
        return 0
    for weakness in settings.weaknesses:
        print(f"launch: weakened on purpose: {weakness}", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        return Launcher(settings, Path(folder) / "final").run()


if __name__ == "__main__":
    sys.exit(main())
