"""The server's metrics under vLLM's names, so that dashboards and alerts made for vLLM fit.

They live in the API process, fed by the engine's reports, as vLLM's do: when the engine hangs, gauges freeze at their last value.
"""

import time
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest

from workloads.inference.wire import Report, Token

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
FINISHED_REASONS = ("length", "abort", "error")


@dataclass(slots=True)
class Timeline:
    """Times of one request by CLOCK_MONOTONIC, in seconds."""

    arrived_s: float = field(default_factory=time.monotonic)
    latest_token_s: float | None = None


class ServerMetrics:
    """One replica's metrics."""

    def __init__(self, model_name: str) -> None:
        disable_created_metrics()
        self._registry, self._model = CollectorRegistry(), model_name
        self._running = self._gauge("vllm:num_requests_running", "Requests that own a slot of the batch")
        self._waiting = self._gauge("vllm:num_requests_waiting", "Requests that wait for a slot")
        self._kv_usage = self._gauge("vllm:kv_cache_usage_perc", "Share of the KV cache in use, 0 to 1")
        self._steps = self._gauge("inference_engine_steps", "Engine steps since its start")
        self._progress_age = self._gauge("inference_engine_progress_age_seconds", "Time since the engine's main loop was last seen to move")
        self._prompt_tokens = self._counter("vllm:prompt_tokens", "Prompt tokens of requests taken")
        self._generated = self._counter("vllm:generation_tokens", "Tokens generated")
        self._rejected = self._counter("inference_requests_rejected", "Requests answered 429: the queue was full")
        self._first_token = self._histogram("vllm:time_to_first_token_seconds", "Arrival to first token")
        self._between_tokens = self._histogram("vllm:inter_token_latency_seconds", "From one token to the next")
        self._end_to_end = self._histogram("vllm:e2e_request_latency_seconds", "Arrival to last token")
        self._queued = self._histogram("vllm:request_queue_time_seconds", "Arrival to slot")
        finished = Counter("vllm:request_success", "Requests that ended", ("model_name", "finished_reason"), registry=self._registry)
        self._finished = {reason: finished.labels(model_name, reason) for reason in FINISHED_REASONS}

    def exposition(self) -> bytes:
        """All metrics in Prometheus's text format."""
        return generate_latest(self._registry)

    def reported(self, report: Report) -> None:
        """Note the engine's state in a report."""
        self._running.set(report.running)
        self._waiting.set(report.waiting)
        self._kv_usage.set(report.kv_usage)
        self._steps.set(report.steps)

    def progress_age(self, age_s: float) -> None:
        """Note how old the engine's latest progress is."""
        self._progress_age.set(age_s)

    def taken(self, prompt_tokens: int) -> None:
        """Count a request that was handed to the engine."""
        self._prompt_tokens.inc(prompt_tokens)

    def rejected(self) -> None:
        """Count a request that found the queue full."""
        self._rejected.inc()

    def token(self, timeline: Timeline, token: Token) -> None:
        """Count a token from the engine and move its request's timeline on."""
        now_s = time.monotonic()
        self._generated.inc()
        if timeline.latest_token_s is None:
            self._first_token.observe(now_s - timeline.arrived_s)
        else:
            self._between_tokens.observe(now_s - timeline.latest_token_s)
        if token.queued_ns is not None:
            self._queued.observe(token.queued_ns / 1e9)
        if token.last:
            self._end_to_end.observe(now_s - timeline.arrived_s)
        timeline.latest_token_s = now_s

    def finished(self, reason: str) -> None:
        """Count the end of a request; ``reason`` is one of FINISHED_REASONS."""
        self._finished[reason].inc()

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(name, text, ("model_name",), registry=self._registry).labels(self._model)

    def _counter(self, name: str, text: str) -> Counter:
        return Counter(name, text, ("model_name",), registry=self._registry).labels(self._model)

    def _histogram(self, name: str, text: str) -> Histogram:
        return Histogram(name, text, ("model_name",), registry=self._registry, buckets=SECONDS).labels(self._model)
