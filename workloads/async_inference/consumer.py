"""A consumer: takes a job, asks an engine until one answers, ends the job. ``python -m workloads.async_inference.consumer``.

While no engine is there it keeps its job and waits. If it is killed, another consumer gets the job after RECLAIM_S. SIGTERM: what was asked
of an engine is finished, what waits for one is given back.
"""

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import TypeVar

from workloads.async_inference.engine import Engine, EngineBroke, EngineUnavailable, Outcome
from workloads.async_inference.settings import Acknowledge, Settings, Unreadable, from_environment
from workloads.async_inference.store import Entry, Store, Unavailable, Work
from workloads.environment import SettingRefused

BLOCK_S = 0.5
Told = TypeVar("Told")
log = logging.getLogger("consumer")


class Consumer:
    """One consumer; ``leave`` ends it after what it has in hand."""

    def __init__(self, settings: Settings, store: Store, engine: Engine) -> None:
        self._settings, self._store, self._engine = settings, store, engine
        self._name, self._leaving = settings.pod_name, threading.Event()

    def leave(self) -> None:
        """Take nothing new, and give back what waits for an engine."""
        self._leaving.set()

    def run(self) -> None:
        """Work until told to leave."""
        self._asked(self._prepare)
        while not self._leaving.is_set():
            if (work := self._asked(self._next)) is not None:
                self._work(work)

    def _prepare(self) -> None:
        self._store.ready()
        self._store.tidy()

    def _next(self) -> Work | None:
        entry = self._store.take(self._name, self._settings.reclaim_s, BLOCK_S)
        if entry is None:
            return None
        if self._settings.unreadable is Unreadable.CRASH and self._store.job(entry.job_id) is None:
            raise LookupError(f"entry {entry.place} leads to no job")
        return self._begun(entry)

    def _begun(self, entry: Entry) -> Work | None:
        work = self._store.begin(entry, self._settings.max_deliveries)
        if self._settings.acknowledge is Acknowledge.FIRST:
            self._store.forget(entry)
        return work

    def _work(self, work: Work) -> None:
        with Renewal(self._store, work.entry, self._settings) as renewal:
            try:
                outcome = self._completed(work, renewal)
            except EngineBroke as broke:  # it stays its consumer's until RECLAIM_S is over, then it is delivered again
                log.warning("job %s, delivery %d: %s", work.entry.job_id, work.attempt, broke)
                return
            if outcome is not None:
                self._asked(lambda: self._store.end(work.entry, outcome.state, outcome.body))
            elif not renewal.lost.is_set():
                self._asked(lambda: self._store.release(work.entry, self._name))

    def _completed(self, work: Work, renewal: "Renewal") -> Outcome | None:
        """Ask until an engine answers; None: told to leave first, or the job was given to another consumer. Raises EngineBroke."""
        while not (self._leaving.is_set() or renewal.lost.is_set()):
            try:
                return self._engine.complete(work.entry.job_id, work.request)
            except EngineUnavailable as unavailable:
                log.info("job %s waits: %s", work.entry.job_id, unavailable)
                self._leaving.wait(self._settings.retry_s)
        return None

    def _asked(self, ask: Callable[[], Told]) -> Told | None:
        """Ask Redis until it answers; None: told to leave first. A group that was lost with an empty Redis is made again."""
        while True:
            try:
                return ask()
            except Unavailable as unavailable:
                log.info("%s", unavailable)
                if self._leaving.wait(self._settings.retry_s):
                    return None
                if "NOGROUP" in str(unavailable):
                    self._asked(self._store.ready)


class Renewal:
    """Says, while a job is worked on, that its consumer is there; ``lost``: it was given to another one."""

    def __init__(self, store: Store, entry: Entry, settings: Settings) -> None:
        self._store, self._entry, self._settings = store, entry, settings
        self.lost, self._over = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._renew, name="renewal", daemon=True)

    def __enter__(self) -> "Renewal":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _renew(self) -> None:
        if self._settings.acknowledge is Acknowledge.FIRST:  # it is nobody's any more
            return
        while not self._over.wait(self._settings.renew_s):
            try:
                if not self._store.renew(self._entry, self._settings.pod_name):
                    self.lost.set()
                    return
            except Unavailable as unavailable:  # whether it was lost is known when Redis is back
                log.info("%s", unavailable)


def main() -> int:
    """Work until SIGTERM; a refusal is one sentence and exit code 1."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    try:
        settings = from_environment(os.environ)
    except SettingRefused as refusal:
        log.error("refuses to work: %s", refusal)  # noqa: TRY400  a sentence, not a traceback
        return 1
    store = Store(settings.redis_url, settings.redis_timeout_s, settings.result_ttl_s)
    consumer = Consumer(settings, store, Engine(settings.engine_url, settings.engine_timeout_s))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: consumer.leave())
    consumer.run()
    store.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
