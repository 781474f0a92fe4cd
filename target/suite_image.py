"""Where the suite lies in its image: the same folder on every node and in every pod (workloads/Dockerfile)."""

PROJECT = "/opt/aftershock"
PYTHON = f"{PROJECT}/.venv/bin/python"
FAULT_PYTHON = PYTHON  # in the fault image
