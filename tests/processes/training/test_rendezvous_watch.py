"""torchrun that waits without end for a rendezvous whose machine is gone is ended, with all that it started."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
from functools import partial

import psutil
import pytest

from testing.waiting import wait_for
from workloads.training import launch
from workloads.training.rendezvous import RendezvousWatch

DEAF = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
time.sleep(600)
"""


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "_LOOK_S", 0.05)
    monkeypatch.setattr(launch, "RendezvousWatch", partial(RendezvousWatch, patience_s=0.2))


@pytest.mark.usefixtures("quick")
def test_it_is_ended_with_its_ranks(capsys: pytest.CaptureFixture[str]) -> None:
    child = subprocess.Popen([sys.executable, "-c", DEAF])
    wait_for(lambda: bool(psutil.Process(child.pid).children()), "its rank runs")
    [rank] = psutil.Process(child.pid).children()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        answering = threading.Thread(target=lambda: (listener.accept()[0].close(), listener.close()))
        answering.start()
        assert launch.ended(child, address) == -signal.SIGKILL
        answering.join()
    wait_for(lambda: not rank.is_running() or rank.status() == psutil.STATUS_ZOMBIE, "its rank is gone")
    assert f"nobody has answered at {address}" in capsys.readouterr().err


@pytest.mark.usefixtures("quick")
def test_one_that_ends_by_itself_is_left_to_it() -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1); raise SystemExit(7)"])
    assert launch.ended(child, "127.0.0.1:9") == 7  # nobody ever answered there
