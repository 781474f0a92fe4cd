"""One rank of a run, as torchrun starts it; by hand use ``python -m workloads.training.launch``."""

import os
import signal
import sys
from pathlib import Path

from workloads.training.errors import SettingsRefused
from workloads.training.group import RankPlace
from workloads.training.launch import FINAL
from workloads.training.settings import from_environment
from workloads.training.start import EXIT_FENCED, EXIT_REFUSED, explained


def main() -> int:
    """Read the environment, train, and return the exit code."""
    try:
        return explained(from_environment(), RankPlace.of())
    except SettingsRefused as error:
        print(error, file=sys.stderr)
        return EXIT_REFUSED


def tell_launcher(code: int) -> None:
    """Leave an exit code that no restart would change, and end torchrun, which would restart the ranks as often as it may."""
    if code in (EXIT_REFUSED, EXIT_FENCED) and (final := os.environ.get(FINAL)):
        Path(final).write_text(str(code))
        os.kill(os.getppid(), signal.SIGTERM)


if __name__ == "__main__":
    code = main()
    tell_launcher(code)
    sys.stdout.flush()
    sys.stderr.flush()
    # a thread that hangs in a store's write must not keep the process, which torchrun waits for
    os._exit(code)
