"""One rank of a run, as torchrun starts it; by hand use ``python -m workloads.training.launch``."""

import os
import sys

from workloads.training.errors import SettingsRefused
from workloads.training.group import Place
from workloads.training.settings import from_environment
from workloads.training.start import EXIT_REFUSED, explained


def main() -> int:
    """Read the environment, train, and return the exit code."""
    try:
        return explained(from_environment(), Place.of())
    except SettingsRefused as error:
        print(error, file=sys.stderr)
        return EXIT_REFUSED


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # a thread that hangs in a store's write must not keep the process, which torchrun waits for
    os._exit(code)
