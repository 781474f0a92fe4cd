"""The engine process: owns the model, the KV cache and the device; started by the API, never by hand.

``python -m workloads.inference.engine FOLDER``, where FOLDER holds the API's sockets. Its main loop takes commands, runs one step of the
batch, and reports. The report is the heartbeat: it comes from this loop and nowhere else, so an engine that hangs falls silent.
Its process name is ``EngineCore`` (``pgrep -x EngineCore``), as vLLM calls its own.
"""

import ctypes
import logging
import os
import signal
import sys
import time
from pathlib import Path

import zmq

from workloads.environment import SettingRefused
from workloads.inference import device, weights, wire
from workloads.inference import settings as settings_module
from workloads.inference.batch import Batch
from workloads.inference.settings import Settings

PROCESS_NAME = b"EngineCore"
PR_SET_PDEATHSIG, PR_SET_NAME = 1, 15  # linux/prctl.h
log = logging.getLogger("engine")


def _become_child(parent: int) -> None:
    """Take the engine's name, and die with the API: a model without anyone to serve would only hold its device."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_NAME, PROCESS_NAME)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the API decides when to stop
    if os.getppid() != parent:  # it died before the line above
        raise SystemExit(1)


class Engine:
    """Sockets, batch and device behind one loop."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        """Load and warm up the model; raises weights.WeightsRefused, or RuntimeError when the device is lost."""
        started = time.monotonic()
        path, record = weights.accepted(settings.model_dir, settings.weights_check)
        self._settings = settings
        self._device = device.allocated(os.environ, settings.device_root)
        self._device.touch()
        from workloads.inference import decoder  # noqa: PLC0415  imports torch, which takes seconds: what can be refused was refused before

        model = decoder.load(path, record, settings.max_batch, self._device.torch_device)
        self._batch = Batch(model, settings.max_batch, model.config.context, time.monotonic_ns)
        model.warm_up()
        time.sleep(max(0.0, settings.load_floor_s - (time.monotonic() - started)))
        self._commands, self._reports = _connect(folder)
        self._progress = 0
        log.info("model %s (loss %.4f) on %s, %d slots", settings.model_name, record.final_loss, self._device.name, settings.max_batch)

    def run(self) -> None:
        """Serve until told to stop; an exception on the way, such as a lost device, ends the process."""
        self._report([])
        reported = time.monotonic()
        while self._take_commands(reported + self._settings.heartbeat_s):
            self._progress += 1
            tokens = [] if self._batch.idle else self._step()
            if tokens or time.monotonic() - reported >= self._settings.heartbeat_s:
                self._report(tokens)
                reported = time.monotonic()

    def _step(self) -> list[wire.Token]:
        started = time.monotonic()
        self._device.touch()
        tokens = self._batch.step()
        time.sleep(max(0.0, self._settings.step_floor_ms / 1e3 - (time.monotonic() - started)))
        return tokens

    def _take_commands(self, heartbeat_due: float) -> bool:
        """Take every command that is there; wait for one until the heartbeat is due if there is nothing to do. False: stop."""
        wait_ms = max(0, int((heartbeat_due - time.monotonic()) * 1e3)) if self._batch.idle else 0
        while self._commands.poll(wait_ms):
            wait_ms = 0
            match wire.decode_command(self._commands.recv()):
                case wire.Generate() as request:
                    self._batch.add(request)
                case wire.Abort(id=request_id):
                    self._batch.abort(request_id)
                case wire.Stop():
                    return False
        return True

    def _report(self, tokens: list[wire.Token]) -> None:
        batch = self._batch
        self._reports.send(wire.encode(wire.Report(self._progress, batch.steps, batch.running, batch.waiting, batch.kv_usage, tokens)))


def _connect(folder: Path) -> tuple[zmq.Socket[bytes], zmq.Socket[bytes]]:
    """Sockets for commands (in) and reports (out)."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context.instance()
    commands, reports = context.socket(zmq.PULL), context.socket(zmq.PUSH)
    reports.setsockopt(zmq.LINGER, 200)  # ms; an engine that stops must not wait for an API that is gone
    commands.connect(wire.commands_address(folder))
    reports.connect(wire.reports_address(folder))
    return commands, reports


def main() -> int:
    """Start up and serve; a refusal is one sentence, anything else a traceback."""
    _become_child(int(sys.argv[2]))
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    try:
        engine = Engine(settings_module.from_environment(os.environ), Path(sys.argv[1]))
    except (SettingRefused, weights.WeightsRefused) as refusal:
        log.error("refuses to serve: %s", refusal)  # noqa: TRY400  a sentence, not a traceback
        return 1
    engine.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
