"""The matrix of coverage in words: a place says what became of its experiments, and why those without a verdict have none."""

from __future__ import annotations

from collections import Counter

from reports.coverage import Coverage, CoverageRow, Covering, Place, State

SHORT = {State.NOT_CONCERNED: "", State.NO_EXPERIMENT: "no experiment", State.NOT_KNOWN: "not known"}
KINDS = {
    State.PASSED: "PASS",
    State.FAILED: "FAIL",
    State.INCONCLUSIVE: "INCONCLUSIVE",
    State.REFUSED: "refused",
    State.UNREADABLE: "unreadable",
    State.SKIPPED: "skipped",
}
"""The sign of a state; the others have none."""


def sign(state: State) -> str:
    """Return which sign a state has; empty: none."""
    return KINDS.get(state, "")


def text(place: Place) -> str:
    """Return ``2 passed, 1 not selected``, or why there is no experiment."""
    if not place.experiments:
        return SHORT.get(place.state, place.state.value)
    counted = Counter(one.state for one in place.experiments)
    return ", ".join(f"{counted[state]} {state.value}" for state in State if counted[state])


def gap(row: CoverageRow) -> bool:
    """Tell whether nothing of a row has a verdict."""
    return row.state not in {State.PASSED, State.FAILED, State.INCONCLUSIVE}


def reasons(coverage: Coverage) -> list[tuple[str, list[Covering]]]:
    """Return what has no verdict, by the state it is in and each experiment once, those with a reason of their own."""
    found: dict[str, dict[str, Covering]] = {}
    for row in coverage.rows:
        for place in row.places:
            for one in place.experiments:
                if sign(one.state) in {"", "refused", "unreadable", "skipped"}:
                    found.setdefault(one.state.value, {})[one.experiment] = one
    return [(state.value, list(found[state.value].values())) for state in State if state.value in found]
