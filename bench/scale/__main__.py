"""``python -m bench.scale``: what the suite takes and asks for on a cluster of 1,000 nodes and 10,000 pods, each figure beside its bound.

A control plane of its own on loopback, kwok in the place of kubelets, gone when the bench ends. ``--nodes 50 1000 5000`` measures several
sizes, one after the other. The first start builds what is missing. Exit code 1: a bound was missed.
"""

from __future__ import annotations

import signal
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console

from bench.common.pages import parser_of
from bench.common.tables import circumstances
from bench.scale.control_plane import ControlPlane, control_plane
from bench.scale.page import Measured, markdown, terminal
from bench.scale.population import fill
from bench.scale.steps import steps
from cluster.errors import ClusterError
from runner.request import PROFILES, ProfileName
from testing.platform.large.manifests import Large

CONSOLE = Console(width=200)
COMMAND = "python -m bench.scale"


def main() -> int:
    """Measure every size and return 1 if a bound was missed."""
    parser = parser_of("bench.scale", __doc__)
    parser.add_argument("--nodes", type=int, nargs="+", default=[1000], metavar="N", help="sizes to measure (default: 1000)")
    parser.add_argument("--pods", type=int, default=10_000, metavar="N", help="in all, at most 10 on a node (default: %(default)s)")
    parser.add_argument("--profile", choices=sorted(PROFILES), default="full", help="of the whole run (default: %(default)s)")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that blocks end what they started
    measured = []
    for nodes in options.nodes:
        measured.append(_measure(Large(nodes, min(10, options.pods // nodes)), options.profile))
        CONSOLE.print(terminal(measured[-1]))
    if options.write is not None:
        sizes = " ".join(str(nodes) for nodes in options.nodes)
        options.write.write_text(markdown(f"{COMMAND} --nodes {sizes} --write {options.write}", measured))
    return int(any(one.missed for one in measured))


def _measure(large: Large, profile: ProfileName) -> Measured:
    with tempfile.TemporaryDirectory(prefix="aftershock-scale-") as name:
        folder = Path(name)
        try:
            with control_plane(_made(folder / "control-plane"), _say) as plane:
                begun_s = time.monotonic()
                fill(plane, large, _say)
                filled_s = time.monotonic() - begun_s
                found = []
                for step in steps(plane, large, _made(folder / "suite"), profile):
                    _say(f"{step.name}: {step.wall_s:.1f} s{'' if step.ok else f', FAILED: {step.said}'}")
                    found.append(step)
                return Measured(large, tuple(found), circumstances(), _of_plane(plane, filled_s))
        except ClusterError as error:
            raise SystemExit(str(error)) from error


def _of_plane(plane: ControlPlane, filled_s: float) -> str:
    held = ", ".join(f"{one.log.stem} {one.peak_bytes / 1e6:.0f} MB" for one in plane.programs)
    return f"Made to run in {filled_s:.0f} s; at their peak {held}."


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _say(text: str) -> None:
    CONSOLE.print(f"scale: {text}", highlight=False)


if __name__ == "__main__":
    sys.exit(main())
