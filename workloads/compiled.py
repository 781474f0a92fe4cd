"""Compile once what the platform's pods import: on the embedded cluster they see the Python environment read-only and cannot keep it so.

Without it every start of a replica or a rank compiles thousands of modules anew. Much of torch and botocore is imported only when it is
used. So a store's client is made here and one step is trained, without a trace.
"""

import os
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

ENVIRONMENT = Path(__file__).resolve().parents[1] / ".venv-platform"
PYTHON = ENVIRONMENT / "bin" / "python"
IMPORTED = (
    "workloads.inference.serving",
    "workloads.inference.decoder",
    "workloads.monitoring.discovery",
    "mlflow.cli",
    "mlflow.server.fastapi_app",
)
CLIENT = "from workloads.storage.s3 import S3Store; S3Store('bucket', 'prefix', 'http://127.0.0.1:1')"
STEP = ("-m", "workloads.training.launch")


class CompileFailed(RuntimeError):
    """What the pods are to run does not run here; the sentence says why."""


def compile_modules(say: Callable[[str], None]) -> None:
    """Compile them, unless that was done since packages were installed last. Raises CompileFailed: it does not run, or is not there."""
    if not PYTHON.exists():
        raise CompileFailed(f"the platform's Python environment is not in {ENVIRONMENT}; run `make platform`")
    marker = ENVIRONMENT / ".compiled"
    installed = max(folder.stat().st_mtime for folder in ENVIRONMENT.glob("lib/python*/site-packages"))
    if marker.exists() and marker.stat().st_mtime >= installed:
        return
    say("compiling the platform's Python modules")
    _run(("-c", f"import {', '.join(IMPORTED)}; {CLIENT}"), {})
    with tempfile.TemporaryDirectory() as folder:
        _run(STEP, one_step(Path(folder)))
    marker.touch()


def one_step(folder: Path) -> dict[str, str]:
    """Return the settings of a run of one step that leaves everything in ``folder``."""
    (folder / "store").mkdir()
    places = {"TRAIN_STORES": f"{folder.as_uri()}/store", "TRAIN_LEDGER": f"{folder.as_uri()}/ledger.jsonl"}
    return {"TRAIN_RUN_ID": "compile", "TRAIN_STEPS": "1", "TRAIN_DATA": "synthetic:8", "TRAIN_BATCH": "2", **places}


def _run(arguments: tuple[str, ...], settings: Mapping[str, str]) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        [str(PYTHON), *arguments], cwd=ENVIRONMENT.parent, env={**environment, **settings}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise CompileFailed(f"{' '.join(arguments[:2])} ended with {done.returncode} on this machine: {done.stderr[-500:].strip()}")
