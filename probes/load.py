"""Evidence of more load than planned: that it was sent, by the record of who sends it."""

from __future__ import annotations

import polars as pl

from history.clock import now_ns
from history.reader import read_table
from history.schema import EventKind, Series
from probes.targets import targets_of
from safety import active_run
from safety.load_process import folder_of

WRITTEN_NS = 500_000_000  # the load hands its rows over several times a second
LEAST = 20  # requests, before a share of them says anything
SHARE = 0.9


def offered(activity: str) -> bool:
    """Tell whether nine of ten requests of ``activity`` that were due so far were really sent, by the record of its load generator.

    A request was sent if its row says when, or if it is still under way. False before the first twenty are due.

    Args:
        activity: the action that this is evidence of.

    Raises:
        NoData: its record cannot be read.

    """
    targets_of(activity, "Pod")
    folder = folder_of(active_run.require(), activity)
    begun = read_table(folder, "events").filter(pl.col("kind") == EventKind.LOAD_START.value)["t_ns"].min()
    if not isinstance(begun, int):
        return False
    due_ns = now_ns() - WRITTEN_NS - begun
    due = read_table(folder, "schedule").filter(pl.col("offset_ns") <= due_ns)["request_id"]
    rows = read_table(folder, "requests").filter((pl.col("attempt") == 0) & pl.col("request_id").is_in(due.implode()))
    under_way = read_table(folder, "samples").filter(pl.col("series") == Series.IN_FLIGHT.value).sort("t_ns")["value"].to_list()
    sent = rows["sent_ns"].count() + min(len(due) - rows.height, int(under_way[-1]) if under_way else 0)
    return len(due) >= LEAST and sent >= SHARE * len(due)
