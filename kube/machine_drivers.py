"""Machine power, GPU health and the control plane by the target's command drivers: the place of a board management controller (BMC).

``fail`` must end by itself after ``{seconds}``, whoever is left to ask for it.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from history.errors import AftershockError, FaultFailed, TargetRefused, UndoFailed
from kube.client import Platform
from target.region import CommandDriver

ROOT = Path(__file__).resolve().parent.parent
TIMEOUT_S = 60.0  # for one command; a BMC that needs longer has failed
PLACEHOLDER = re.compile(r"\{(\w+)\}")


def machines(platform: Platform) -> CommandDriver:
    """Return the region's machine driver. Raises TargetRefused: it has none; faults that lose nodes then use fault pods."""
    if platform.region.machines is None:
        raise TargetRefused(
            f"target {platform.target.name}: it has no machine driver, so no node's power can be switched; add machines to its region, "
            "or use faults.nodes.silence, which freezes a node by a fault pod"
        )
    return platform.region.machines


def gpus(platform: Platform) -> CommandDriver:
    """Return the region's GPU driver. Raises TargetRefused: it has none."""
    if platform.region.gpus is None:
        raise TargetRefused(
            f"target {platform.target.name}: it has no GPU driver, so no device can be failed; add gpus to its region, "
            "or leave such faults out"
        )
    return platform.region.gpus


def power_off(platform: Platform, node: str, for_s: float) -> str:
    """Power ``node`` off for ``for_s`` seconds; return what the driver said. Raises FaultFailed, TargetRefused (no driver)."""
    return run(machines(platform).fail, {"node": node, "seconds": f"{for_s:g}"}, f"power off {node}", FaultFailed)


def power_on(platform: Platform, node: str) -> str:
    """Power ``node`` on (or leave it on). Raises UndoFailed, TargetRefused (no driver)."""
    return run(machines(platform).repair, {"node": node}, f"power on {node}", UndoFailed)


def fail_gpu(platform: Platform, node: str, index: str, for_s: float) -> str:
    """Fail device ``index`` of ``node`` for ``for_s`` seconds. Raises FaultFailed, TargetRefused (no driver)."""
    values = {"node": node, "index": index, "seconds": f"{for_s:g}"}
    return run(gpus(platform).fail, values, f"fail GPU {index} of {node}", FaultFailed)


def repair_gpu(platform: Platform, node: str, index: str) -> str:
    """Repair device ``index`` of ``node`` (or leave it well). Raises UndoFailed, TargetRefused (no driver)."""
    return run(gpus(platform).repair, {"node": node, "index": index}, f"repair GPU {index} of {node}", UndoFailed)


def control_plane(platform: Platform) -> CommandDriver:
    """Return the region's driver of the control plane. Raises TargetRefused: it has none."""
    driver = platform.region.control_plane_driver
    if driver is None:
        raise TargetRefused(
            f"target {platform.target.name}: it has no control_plane driver, so no part of the control plane can be stopped; add "
            "control_plane to its region, or leave such faults out"
        )
    return driver


def stop_control_plane(platform: Platform, part: str, for_s: float) -> str:
    """Stop a part of the control plane for ``for_s`` seconds; return what the driver said. Raises FaultFailed, TargetRefused (none)."""
    return run(control_plane(platform).fail, {"part": part, "seconds": f"{for_s:g}"}, f"stop the control plane's {part}", FaultFailed)


def start_control_plane(platform: Platform, part: str) -> str:
    """Start a part of the control plane again (or leave it at work). Raises UndoFailed, TargetRefused (no driver)."""
    return run(control_plane(platform).repair, {"part": part}, f"start the control plane's {part}", UndoFailed)


def run(
    command: tuple[str, ...],
    values: dict[str, str],
    what: str,
    raises: type[AftershockError],
    timeout_s: float = TIMEOUT_S,
) -> str:
    """Run a driver's command from the repository root, without a shell, and return its output.

    Raises:
        AftershockError: of class ``raises``: unknown placeholder, program missing, exit status not 0, or no end within ``timeout_s``.

    """
    line = [fill(part, values, what, raises) for part in command]
    try:
        done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=timeout_s, check=False, stdin=subprocess.DEVNULL)
    except OSError as error:
        raise raises(f"{what}: the driver's program {line[0]} cannot be started ({error}); correct the target file") from error
    except subprocess.TimeoutExpired as error:
        raise raises(f"{what}: {line[0]} did not end within {timeout_s:g} s; find out what state the node is in") from error
    if done.returncode:
        said = (done.stderr or done.stdout).strip()[-500:] or "nothing"
        raise raises(f"{what}: {' '.join(command)} ended with status {done.returncode}, expected 0; it said: {said}")
    return done.stdout.strip()


def fill(part: str, values: dict[str, str], what: str, raises: type[AftershockError]) -> str:
    """Fill ``{name}`` placeholders of one argument; ``{python}`` is this interpreter. Raises ``raises``: unknown placeholder."""
    known = {"python": sys.executable, **values}

    def value(match: re.Match[str]) -> str:
        if match[1] not in known:
            raise raises(
                f"{what}: the driver's argument {part!r} uses {{{match[1]}}}; known here are {sorted(known)}; correct the target file"
            )
        return known[match[1]]

    return PLACEHOLDER.sub(value, part)
