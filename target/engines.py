"""What is known of model servers, so that a role need not say it: the process that does the work, and the gauges that Prometheus has of it.

Of each gauge, the names by which versions have called it, the newest first. Under Ray Serve, vLLM's gauges carry Ray's prefix.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from history.values import Written


class Engine(Written):
    """One kind of model server.

    ``process``: a part of its worker's command line; None: it is the container's first process, which no signal from inside can end.
    ``waiting``: requests in front of the engine. ``running``: requests in it. ``cache``: how full its key-value cache is. ``served``: the
    counter of requests that it served, on its own /metrics.
    """

    process: str | None = None
    waiting: tuple[str, ...]
    running: tuple[str, ...] = ()
    cache: tuple[str, ...] = ()
    served: str | None = None


ENGINES = {
    "vllm": Engine(
        process="EngineCore",  # since the V1 engine
        waiting=("vllm:num_requests_waiting", "ray_vllm_num_requests_waiting", "ray_vllm:num_requests_waiting"),
        running=("vllm:num_requests_running", "ray_vllm_num_requests_running", "ray_vllm:num_requests_running"),
        cache=("vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc", "ray_vllm_kv_cache_usage_perc", "ray_vllm:gpu_cache_usage_perc"),
        served="vllm:request_success_total",
    ),
    "sglang": Engine(
        process="sglang::scheduler",
        waiting=("sglang:num_queue_reqs", "sglang_num_queue_reqs"),
        running=("sglang:num_running_reqs", "sglang_num_running_reqs"),
        cache=("sglang:token_usage", "sglang_token_usage"),
        served="sglang:num_requests_total",
    ),
    "tgi": Engine(
        process="text-generation-server serve",
        waiting=("tgi_queue_size",),
        running=("tgi_batch_current_size",),
        served="tgi_request_success",
    ),
    "llama.cpp": Engine(
        waiting=("llamacpp:requests_deferred",),
        running=("llamacpp:requests_processing",),
        cache=("llamacpp:kv_cache_usage_ratio",),  # gone from newer versions
    ),
    "triton": Engine(waiting=("nv_inference_pending_request_count",), served="nv_inference_request_success"),
}
"""By the name that a role's ``adapter`` has."""

GAUGES = ("waiting", "running", "cache")


def names(gauge: str, engine: str | None = None) -> tuple[str, ...]:
    """Return every name of ``gauge``, one of GAUGES, in the order of preference: of one engine, or of all."""
    known = ENGINES.values() if engine is None else (ENGINES[engine],)
    return tuple(name for one in known for name in getattr(one, gauge))


def recognised(found: Collection[str]) -> Iterator[str]:
    """Yield, of the metrics ``found``, those that are gauges of known engines; of several names of one gauge the newest."""
    for engine in ENGINES:
        for gauge in GAUGES:
            yield from [name for name in names(gauge, engine) if name in found][:1]
