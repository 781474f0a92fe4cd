"""Jobs followed while they are submitted: how they end, how deep the queue is; at the end each result is fetched."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import polars as pl

from history.clock import now_ns
from history.errors import NoData
from history.prompts import Prompt
from history.reader import LEDGERS
from history.writer import RowWriter
from kube.wait import until
from runner.drivers.async_inference.client import JobsClient
from runner.drivers.async_inference.submitting import ACCEPTED, Submitting
from runner.drivers.driver import WorkloadFailed
from verdict.async_inference.plan import BACKLOG, ENDED, LOOK_S, SUBMITTED, AsyncPlan
from verdict.async_inference.record import JobRecord, record_of
from verdict.inputs.outages import Rule, find_outages
from verdict.statistics import arrivals_needed

FETCHERS = 8
FETCH_S = 10.0
NOBODY_THERE = (None, 429, 502, 503, 504)  # a status, or no answer, after which a client asks again


class JobsProgress:
    """The record so far. A thread of its own asks how jobs ended and how deep the queue is, several times a second."""

    def __init__(self, run_dir: Path, plan: AsyncPlan, prompts: tuple[Prompt, ...], client: JobsClient, place: str) -> None:
        (run_dir / LEDGERS).mkdir(exist_ok=True)
        self._plan, self._prompts, self._client, self._place = plan, prompts, client, place
        self._writers = {name: RowWriter(run_dir / LEDGERS, name, "driver") for name in plan.LEDGERS}
        self._submitting = Submitting(plan, prompts, client, self._writers["jobs_submitted"], f"{run_dir.name}"[-40:])
        self._ended: list[dict[str, object]] = []
        self._backlog: list[dict[str, object]] = []
        self._error, self._drained, self._halt, self._lock = "", False, threading.Event(), threading.Lock()
        self._thread = threading.Thread(target=self._follow, name="jobs", daemon=True)
        self._submitting.start()
        self._thread.start()

    def _follow(self) -> None:
        while not self._halt.wait(LOOK_S):
            try:
                self._look()
            except NoData:  # part of what is measured: users cannot ask either
                continue
            except OSError as error:
                self._error = str(error)
                return

    def _look(self) -> None:
        rows = self._client.ends(self._place)
        seen = self._client.backlog()
        t_ns = now_ns()
        with self._lock:
            for row in rows:
                self._place = str(row["place"])
                ended = {"job": row["id"], "state": row["state"], "attempts": row["attempts"], "seen_ns": t_ns, "place": row["place"]}
                self._ended.append(ended)
                self._writers["jobs_ended"].write(ended)
            self._backlog.append({"t_ns": t_ns, **{name: seen[name] for name in ("depth", "oldest_s", "dead")}})
            self._writers["jobs_backlog"].write(self._backlog[-1])

    def update(self) -> None:
        """Do nothing: the threads know."""

    def record(self) -> JobRecord:
        """Return what is known so far."""
        with self._lock:
            ended = pl.DataFrame(self._ended, schema=ENDED)
        return record_of(pl.DataFrame(self._submitting.rows(), schema=SUBMITTED), ended, self._plan.slo)

    def failure(self) -> str:
        """Return why jobs are not submitted or followed any more although nobody ended it."""
        if self._drained:
            return ""
        alive = self._submitting.alive() and self._thread.is_alive()
        return self._error or self._submitting.error or ("" if alive else "the threads that submit and follow jobs ended")

    def lacks(self, since_ns: int) -> str:
        """Return how many jobs a baseline still lacks whose end is known."""
        known = self.record().decided(now_ns())
        done, needed = int((known.t_ns >= since_ns).sum()), arrivals_needed(self._plan.slo.ratio)
        return "" if done >= needed else f"only of {done} of {needed} jobs the end is known"

    def recovered(self, fault_ns: int, not_before_ns: int, hold_s: float) -> bool:
        """Tell whether jobs are accepted and done in time again, have been for the hold, and the backlog is as before the fault."""
        known, hold_ns = self.record().decided(now_ns()), int(hold_s * 1e9)
        after = known.t_ns >= fault_ns
        until_ns = int(known.t_ns[-1]) if after.any() else fault_ns
        if until_ns - hold_ns < not_before_ns or not self._drained_again(fault_ns):
            return False
        outages = find_outages(known.t_ns[after], known.good[after], Rule(self._plan.slo.ratio, hold_ns), until_ns).outages
        return not outages or outages[-1].held

    def _drained_again(self, fault_ns: int) -> bool:
        with self._lock:
            seen = pl.DataFrame(self._backlog, schema=BACKLOG)
        before, last = seen.filter(pl.col("t_ns") < fault_ns)["depth"], seen["depth"].tail(1)
        return bool(len(before) and len(last)) and int(last[0]) <= int(before.to_numpy().max())

    def text(self, window_s: float) -> str:
        """Return how jobs went lately."""
        rows, since_ns = self.record().rows, now_ns() - int(window_s * 1e9)
        recent = rows.filter(pl.col("intended_ns") >= since_ns)
        accepted, ended = recent.filter(pl.col("status") == ACCEPTED).height, rows.filter(pl.col("seen_ns") >= since_ns).height
        waiting = f", {self._backlog[-1]['depth']} wait" if self._backlog else ""
        return f"{accepted} of {recent.height} jobs accepted, {ended} ended{waiting}"

    def drain(self) -> tuple[Path, ...]:
        """Submit nothing new, wait until what was accepted has ended, at most as long as the class says, and fetch all results.

        What has not ended by then is left to the judges. Raises WorkloadFailed: it had ended before.
        """
        wrong = self.failure()
        if not self._drained:
            self._submitting.stop()
            until(self._all_ended, self._plan.jobs.drain_s, LOOK_S)
            self._halt.set()
            self._thread.join()
            with suppress(NoData):  # whether it could still be asked is what the judges go by
                self._look()
            self._fetch_all()
            self._drained = True
            for writer in self._writers.values():
                writer.close()
        if wrong:
            raise WorkloadFailed(wrong)
        return tuple(writer.path for writer in self._writers.values())

    def _all_ended(self) -> bool:
        return bool((self.record().accepted["ends"] > 0).all())

    def _fetch_all(self) -> None:
        done = list(self.record().accepted.filter(pl.col("state") == "done")["job"])
        with ThreadPoolExecutor(FETCHERS) as pool:
            for row in pool.map(self._fetch, done):
                self._writers["jobs_fetched"].write(row)

    def _fetch(self, job: str) -> dict[str, object]:
        """Ask for a result as a client does who comes again while nobody is there, 10 s at most."""
        until_s = time.monotonic() + FETCH_S
        answer = self._client.result(job)
        while answer.status in NOBODY_THERE and time.monotonic() < until_s:
            time.sleep(LOOK_S)
            answer = self._client.result(job)
        right = (
            _right(answer.body, self._prompts[self._submitting.asked[job]], self._plan.jobs.max_tokens) if answer.status == 200 else None
        )
        return {"job": job, "t_ns": now_ns(), "status": answer.status, "right": right}


def _right(body: dict[str, object], prompt: Prompt, max_tokens: int) -> bool | None:
    """Tell whether a completion is the right greedy answer as far as it goes; None: that is not known."""
    known = prompt.known(max_tokens)
    if known is None:
        return None
    choices = body.get("choices")
    text = choices[0].get("text") if isinstance(choices, list) and choices and isinstance(choices[0], dict) else None
    return isinstance(text, str) and bool(text) and known.startswith(text)
