"""What is known of model servers by name: gauges of old and new versions, and the process that does the work."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from target.engines import ENGINES, GAUGES, names, recognised
from target.target import load_target
from testing.platform.fake_cluster import ROOT

SCRAPED = {  # what servers of these versions have, beside much else
    "vLLM, V1": ({"vllm:num_requests_waiting", "vllm:num_requests_running", "vllm:kv_cache_usage_perc", "vllm:prompt_tokens_total"}, 3),
    "vLLM, V0": ({"vllm:num_requests_waiting", "vllm:num_requests_running", "vllm:gpu_cache_usage_perc", "vllm:num_requests_swapped"}, 3),
    "vLLM under Ray Serve": ({"ray_vllm_num_requests_waiting", "ray_vllm_num_requests_running", "ray_vllm_kv_cache_usage_perc"}, 3),
    "SGLang": ({"sglang:num_queue_reqs", "sglang:num_running_reqs", "sglang:token_usage", "sglang:gen_throughput"}, 3),
    "SGLang without colons": ({"sglang_num_queue_reqs", "sglang_num_running_reqs", "sglang_token_usage"}, 3),
    "TGI": ({"tgi_queue_size", "tgi_batch_current_size", "tgi_request_count"}, 2),
    "llama.cpp": ({"llamacpp:requests_deferred", "llamacpp:requests_processing", "llamacpp:tokens_predicted_total"}, 2),
    "Triton": ({"nv_inference_pending_request_count", "nv_inference_request_success"}, 1),
    "an engine that nobody knows": ({"my_engine_queue", "process_start_time_seconds"}, 0),
}


@pytest.mark.parametrize("server", SCRAPED)
def test_gauges_are_found_among_what_prometheus_has(server: str) -> None:
    scraped, known = SCRAPED[server]
    found = list(recognised(scraped))
    assert len(found) == known
    assert set(found) <= scraped
    assert (not known) or found[0] in names("waiting")


def test_of_two_names_of_one_gauge_the_newest_is_taken() -> None:
    both = {"vllm:gpu_cache_usage_perc", "vllm:kv_cache_usage_perc"}
    assert list(recognised(both)) == ["vllm:kv_cache_usage_perc"]


def test_every_engine_has_a_queue_and_every_name_can_stand_in_a_query() -> None:
    assert all(names("waiting", engine) for engine in ENGINES)
    every = [name for gauge in GAUGES for name in names(gauge)]
    assert len(set(every)) == len(every)
    assert all(re.fullmatch(r"[a-zA-Z_:][a-zA-Z0-9_:]*", name) for name in every)


@pytest.mark.parametrize(("adapter", "process"), [("vllm", "EngineCore"), ("sglang", "sglang::scheduler"), ("llama.cpp", None)])
def test_an_adapter_knows_what_the_role_need_not_say(adapter: str, process: str | None, tmp_path: Path) -> None:
    path = tmp_path / "target.yaml"
    text = (ROOT / "targets/local.yaml").read_text()
    path.write_text(text.replace("process: {match: workloads.inference.engine}", f"adapter: {adapter}", 1))
    role = load_target(path).roles["inference"]
    assert (role.engine, role.queue_metric) == (process, "")


def test_a_role_may_name_its_own_gauge(tmp_path: Path) -> None:
    path = tmp_path / "target.yaml"
    text = (ROOT / "targets/local.yaml").read_text()
    path.write_text(text.replace("process: {match: workloads.inference.engine}", "metrics: {queue: my_queue}", 1))
    assert load_target(path).roles["inference"].queue_metric == "my_queue"
