"""Programs of the machine, started by name with a list of arguments, never through a shell."""

import subprocess
from collections.abc import Sequence

from cluster.errors import ClusterError
from cluster.host import pace


def run(*argv: str, stdin: str | None = None, timeout_s: float = 60) -> str:
    """Return what the program printed; raise ClusterError with its last words if it is missing, fails or takes longer than `timeout_s`."""
    try:
        done = subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=pace.limit_s(timeout_s), check=False)
    except FileNotFoundError as error:
        raise ClusterError(
            f"the program {argv[0]!r} is missing: install it, or run `python -m cluster build` where apt-get exists."
        ) from error
    except subprocess.TimeoutExpired as error:
        raise ClusterError(f"`{_short(argv)}` did not end within {timeout_s:g} s{pace.said()}.") from error
    if done.returncode != 0:
        words = (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()[-1]
        raise ClusterError(f"`{_short(argv)}` failed with exit code {done.returncode}: {words}")
    return done.stdout


def succeeds(*argv: str) -> bool:
    """Whether the program exists and ends with exit code 0."""
    try:
        return subprocess.run(argv, capture_output=True, check=False, timeout=pace.limit_s(60)).returncode == 0
    except FileNotFoundError:
        return False


def _short(argv: Sequence[str]) -> str:
    text = " ".join(argv)
    return text if len(text) <= 120 else text[:117] + "..."
