"""The figures of a large platform beside their bounds, as a table of the terminal and as a page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.table import Table

from bench.common.pages import page, table
from bench.common.tables import Row
from bench.scale.control_plane import LEASE_S
from bench.scale.steps import Step
from testing.platform.large.manifests import TEAMS, Large

MOST_BYTES, MOST_PEAK_BYTES, MOST_CORES = 2_000_000, 600_000_000, 1.0
PREFLIGHT_S = ((50, 2.0), (1000, 10.0))  # up to so many nodes: at most so long
HEADS = ("", "wall s", "CPU s", "cores", "peak MB", "requests", "largest answer kB", "bounds", "")
MEANS = f"""
What is real: etcd and kube-apiserver as the embedded cluster builds and configures them, every request, every answer's size, the objects (a
node is about 15 kB, a pod about 6 kB; a third of the nodes in each of three zones, {TEAMS} namespaces beside the serving platform's), the
suite's own code, the load and the server that answers it. **What is not**: kwok stands in for the kubelets. It
writes the state of nodes and pods, and their leases ({LEASE_S} s: 40 s would be 500 writes a second at 5,000 nodes), and no container runs.
So replicas have no port, and are ready by their condition while their node is heard of. Nobody acts as controller manager or scheduler: a
lost pod would not be made again; a fault could not act, which is why faults are taken as far as their dry run and the whole run is a null
control. The administrator's rights answer every question about permissions with yes.

Wall time depends on who else uses the machine, CPU time hardly. `cores` is one by the other. A preflight is the second of two in one
process: the first also loads the client's classes, whatever the cluster, and what it took stands beside it. The largest answer is that of a
single request but streams of watches. The zone that is lost has a third of all nodes: each is asked for its pods, since the blast radius
must know whose they are.
"""


@dataclass(frozen=True, slots=True)
class Measured:
    """One size of platform: its steps, what its control plane took, and under which circumstances."""

    large: Large
    steps: tuple[Step, ...]
    circumstances: Row
    control_plane: str

    @property
    def missed(self) -> list[str]:
        """The steps that miss a bound, or did not come to their end."""
        return [one.name for one in self.steps if not reached(one, self.large)]


def bounds_of(step: Step, large: Large) -> dict[str, tuple[float, float]]:
    """Return the bounds of a step: in words -> (measured, at most)."""
    found: dict[str, tuple[float, float]] = {"600 MB": (step.peak_bytes, MOST_PEAK_BYTES)}
    if step.requests is not None:
        found["1 core"] = (round(step.cores, 2), MOST_CORES)
    if step.largest_bytes is not None:
        found["2 MB an answer"] = (step.largest_bytes, MOST_BYTES)
    most_s = next((most_s for nodes, most_s in PREFLIGHT_S if large.nodes <= nodes), None)
    if step.preflight and most_s is not None:
        found[f"{most_s:g} s"] = (step.wall_s, most_s)
    return found


def reached(step: Step, large: Large) -> bool:
    """Tell whether a step came to its end within all its bounds."""
    return step.ok and all(measured <= most for measured, most in bounds_of(step, large).values())


def cells(step: Step, large: Large) -> tuple[str, ...]:
    """Return a step as a row of :data:`HEADS`."""
    size = "" if step.largest_bytes is None else f"{step.largest_bytes / 1e3:.0f} ({step.of})"
    first = f" (first {step.first_cpu_s:.1f})" if step.preflight else ""
    numbers = (f"{step.wall_s:.1f}", f"{step.cpu_s:.1f}{first}", f"{step.cores:.2f}", f"{step.peak_bytes / 1e6:.0f}")
    asked = "" if step.requests is None else str(step.requests)
    how = "reached" if reached(step, large) else f"MISSED {step.said}".strip()
    return (step.name, *numbers, asked, size, "≤ " + ", ".join(bounds_of(step, large)), how)


def terminal(measured: Measured) -> Table:
    """Return the figures for a terminal."""
    made = Table(*HEADS, title=title_of(measured.large))
    for step in measured.steps:
        made.add_row(*cells(step, measured.large))
    return made


def title_of(large: Large) -> str:
    """Return what a platform is, in words."""
    return f"{large.nodes:,} nodes, {large.pods:,} pods"


def markdown(command: str, all_measured: Sequence[Measured]) -> str:
    """Return the page."""
    rows = [one.circumstances for one in all_measured]
    return page("Scale: what the suite costs a large cluster", command, rows, MEANS, *_sections(all_measured))


def _sections(all_measured: Iterable[Measured]) -> Iterable[str]:
    for one in all_measured:
        yield f"## {title_of(one.large)}\n{one.control_plane}\n\n{table(HEADS, [cells(step, one.large) for step in one.steps])}"
