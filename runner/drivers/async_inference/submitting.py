"""Jobs submitted by an open-loop schedule, whatever becomes of earlier ones: each in a thread of its own."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from random import Random

from history.clock import now_ns
from history.prompts import Prompt
from history.writer import RowWriter
from runner.drivers.async_inference.client import JobsClient
from verdict.async_inference.plan import AsyncPlan

IN_FLIGHT = 64
ACCEPTED = 202


class Submitting:
    """Submits from ``start`` to ``stop``. ``submitted``: every row that was written, by job."""

    def __init__(self, plan: AsyncPlan, prompts: tuple[Prompt, ...], client: JobsClient, writer: RowWriter, run_id: str) -> None:
        self._plan, self._prompts, self._client, self._writer, self._run_id = plan, prompts, client, writer, run_id
        self._rng, self._halt, self._lock = Random(plan.seed), threading.Event(), threading.Lock()  # noqa: S311 - a schedule, no secret
        self._pool = ThreadPoolExecutor(IN_FLIGHT, thread_name_prefix="submit")
        self._thread = threading.Thread(target=self._go_on, name="submitting", daemon=True)
        self.submitted: dict[str, dict[str, object]] = {}
        self.asked: dict[str, int] = {}
        self.error = ""

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def alive(self) -> bool:
        """Tell whether it goes on."""
        return self._thread.is_alive()

    def rows(self) -> list[dict[str, object]]:
        """Return the rows so far."""
        with self._lock:
            return [*self.submitted.values()]

    def stop(self) -> None:
        """Submit nothing new, and wait for the answers to what was submitted."""
        self._halt.set()
        self._thread.join()
        self._pool.shutdown(wait=True)

    def _go_on(self) -> None:
        due_ns, number = now_ns(), 0
        while not self._halt.is_set():
            due_ns += int(self._rng.expovariate(self._plan.jobs.rate_rps) * 1e9)
            if self._halt.wait(max(0.0, (due_ns - now_ns()) / 1e9)):
                return
            number += 1
            job, prompt = f"{self._run_id}-{number}"[-64:].lstrip("-_"), self._rng.randrange(len(self._prompts))
            cancelled = self._rng.random() < self._plan.jobs.cancelled
            self.asked[job] = prompt
            self._pool.submit(self._submit, job, prompt, due_ns, cancelled)

    def _submit(self, job: str, prompt: int, due_ns: int, cancelled: bool) -> None:
        jobs, sent_ns = self._plan.jobs, now_ns()
        request = {"model": jobs.model, "prompt": self._prompts[prompt].prompt, "max_tokens": jobs.max_tokens, "temperature": 0}
        answer = self._client.submit(job, request)
        answered_ns = now_ns() if answer.status is not None else None
        cancelled = cancelled and answer.status == ACCEPTED and self._client.cancel(job).status == ACCEPTED
        row = {"job": job, "intended_ns": due_ns, "sent_ns": sent_ns, "answered_ns": answered_ns, "status": answer.status}
        self._keep(job, row | {"error": answer.error or None, "cancelled": cancelled})

    def _keep(self, job: str, row: dict[str, object]) -> None:
        with self._lock:
            self.submitted[job] = row
            try:
                self._writer.write(row)
            except OSError as error:  # a full disk: the run ends, and says so
                self.error = f"{self._writer.path}: {error}"
