"""What faults and their evidence assume of the reference platform's storage servers (workloads/manifests/training/s3)."""

from __future__ import annotations

import shlex

PROJECT = "/opt/aftershock"  # in the server's own container: its image holds the project
CHECKPOINTS = "/data/objects/training/runs"  # in the server's container: a folder for each job
ORIGINALS = "/data/aftershock-originals"  # likewise, on the same disk, where no client of the server looks: a folder for each fault
DATA = "/data/objects/training/data"  # likewise: the training data and their record
DATA_FILE, DATA_RECORD = "dataset.safetensors", "dataset.json"
DATA_URL = "s3://training/data?endpoint=http://127.0.0.1:7070"  # the same data, asked of the server from its container
KEYS = 'export AWS_ACCESS_KEY_ID="$ROOT_ACCESS_KEY_ID" AWS_SECRET_ACCESS_KEY="$ROOT_SECRET_ACCESS_KEY"'  # the server's names for them
SCRATCH = "/tmp"  # noqa: S108  the container's own
DAMAGE, OVERWRITE, RESTORE = "workloads.storage.damage_at_rest", "workloads.storage.overwrite", "workloads.storage.restore"


def command(program: str, *arguments: str) -> str:
    """Return the shell command that runs one of the project's programs in a storage server's container."""
    return f"cd {PROJECT} && PYTHONDONTWRITEBYTECODE=1 .venv-platform/bin/python -m {program} {shlex.join(arguments)}"


def undo_command(program: str, *arguments: str) -> str:
    """Return the shell command that runs a program that undoes, with the server's own credentials."""
    return f"{KEYS}; {command(program, *arguments)}"
