"""Where the project lies in its images, and with which Python its programs run there (images/)."""

PROJECT = "/opt/aftershock"
PYTHON = f"{PROJECT}/.venv/bin/python"  # the suite's environment, in the suite's image
FAULT_PYTHON = "python3"  # in the fault image, and in any other that a target names for faults: the standard library is enough
