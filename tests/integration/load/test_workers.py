"""Several workers that do what the test wants: whatever command starts a worker, all are treated alike."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from testing.load.load_runs import finish, start_load, write_load_plan

WORKER = """
import pathlib, signal, sys
folder, worker = pathlib.Path(sys.argv[1]), sys.argv[sys.argv.index("--worker") + 1]
def stop(*_):
    (folder / f"stopped-{worker}").touch()
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
print('{"event": "WORKER_READY"}', flush=True)
(folder / f"origin-{worker}").write_text(sys.stdin.readline())
print('{"event": "READY", "scheduled": 5}', flush=True)
if worker == "2":
    sys.exit(3)
signal.pause()
"""


def test_a_worker_that_fails_ends_the_load_of_all(tmp_path: Path) -> None:
    write_load_plan(tmp_path, "http://127.0.0.1:1", workers=3)
    script = tmp_path / "worker.py"
    script.write_text(WORKER)
    code, said, errors = finish(start_load(tmp_path, "--each", shlex.join([sys.executable, str(script)])))
    assert (code, errors) == (1, "")
    assert '"scheduled":15' in said
    assert {path.name for path in tmp_path.glob("stopped-*")} == {"stopped-0", "stopped-1"}
    assert len({path.read_text() for path in tmp_path.glob("origin-*")}) == 1
