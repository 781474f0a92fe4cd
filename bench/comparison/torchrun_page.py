"""What became of ranks that were killed under torchrun, as a page."""

from __future__ import annotations

from statistics import median

from bench.common import pages
from bench.common.tables import Row
from verdict.statistics import share_interval

PLAIN, HARDENED, PLAIN_ONE_POD, HARDENED_ONE_POD = "torchrun's way", "hardened", "torchrun's way, one pod", "hardened, one pod"
_TWO_PODS, _ONE_POD = {"TRAIN_NODES": "2"}, {"TRAIN_NODES": "1", "TRAIN_RANKS_PER_POD": "2"}
_PLAIN = {"TRAIN_SHARE_STORE": "on", "TRAIN_MAX_RESTARTS": "3", "TRAIN_RELAUNCHES": "0"}
VARIANTS: dict[str, dict[str, str]] = {
    PLAIN: _PLAIN | _TWO_PODS,
    HARDENED: _TWO_PODS,
    PLAIN_ONE_POD: _PLAIN | _ONE_POD,
    HARDENED_ONE_POD: _ONE_POD,
}
"""What each variant sets in the job of two ranks; all else is as the platform's template has it."""
HARD = (HARDENED, HARDENED_ONE_POD)
RECOVERY_S = 300.0
COMMAND = "python -m bench.comparison.torchrun --write docs/results/torchrun.md"
HEAD = f"""Jobs of two ranks (gloo, c10d rendezvous), SIGKILL to rank 1 when a checkpoint is verified. Each rank has a pod and a node of its
own, or both share one pod and one torchrun. A recovery is lost if torchrun gives up, or if the ranks have not done a step beyond all
earlier ones within {RECOVERY_S:g} s.
"{PLAIN}": `--max-restarts=3` as its documentation shows, and its rendezvous store shared with the ranks, which is the default.
"{HARDENED}": the platform's job, with `TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1` and a launcher that starts torchrun again.
"""
WHY = """Why recoveries can be lost (inferred from torch's source, not measured here): with the shared store a restarted rank may read the
address of a dead rank, from keys that the attempt before left. Each try that fails so costs one of the restarts, and after the last one
torchrun ends. "Attempts, most" counts the attempts that began to train in the trial that needed most. Two is one restart; in what was lost
there was none.
"""


def markdown(rows: list[Row]) -> str:
    """Return the page."""
    heads = ("variant", "trials", "lost", "share lost (95 % interval, Wilson)", "gave up", "attempts, most", "RTO median (longest)")
    trials = {variant: [row for row in rows if row["variant"] == variant] for variant in VARIANTS}
    lines = (_cells(variant, of_variant) for variant, of_variant in trials.items() if of_variant)
    return pages.page("A rank is killed: does torchrun bring the job back?", COMMAND, rows, HEAD, pages.table(heads, lines), WHY)


def _cells(variant: str, rows: list[Row]) -> tuple[object, ...]:
    lost = sum(row["rto_s"] is None for row in rows)
    low, high = share_interval(lost, len(rows))
    rto = [row["rto_s"] for row in rows if row["rto_s"] is not None]
    times = f"{median(rto):.1f} s ({max(rto):.1f} s)" if rto else "–"
    share = f"{lost / len(rows):.0%} ({low:.0%} to {high:.0%})"
    return variant, len(rows), lost, share, sum(row["gave_up"] for row in rows), max(row["attempts"] for row in rows), times
