"""What users and balancers see when the engine hangs, dies or loses its device."""

import signal
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from testing.waiting import wait_for
from tests.processes.inference.replica import Prompt, Replica, events


def longest_answer(prompts: list[Prompt]) -> str:
    return min(prompts, key=lambda p: len(p.prompt)).prompt


def test_a_frozen_engine_turns_health_red_and_fails_what_waits_for_it(fleet: dict[str, Replica], prompts: list[Prompt]) -> None:
    replica, row = fleet["frozen"].ready(), prompts[0]
    with ThreadPoolExecutor(1) as pool, replica.post(longest_answer(prompts), 200, stream=True) as response:
        stream = events(response)
        next(stream)
        replica.engine.send_signal(signal.SIGSTOP)
        unanswered = pool.submit(replica.post, row.prompt)
        wait_for(lambda: replica.health() == (503, "stalled"), "health is red")
        assert unanswered.result().status_code == 503
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            assert "[DONE]" not in list(stream)
    assert replica.post(row.prompt).status_code == 503
    replica.engine.send_signal(signal.SIGCONT)
    wait_for(lambda: replica.health() == (200, "ready"), "health is green again")
    assert replica.text(row.prompt) == row.completion


def test_a_killed_engine_fails_its_requests_and_ends_the_server(fleet: dict[str, Replica], prompts: list[Prompt]) -> None:
    replica = fleet["victim"].ready()
    with ThreadPoolExecutor(1) as pool:
        unanswered = pool.submit(replica.post, longest_answer(prompts), 200)
        wait_for(lambda: replica.metric("vllm:num_requests_running") == 1, "the request is running")
        replica.engine.kill()
        assert unanswered.result().status_code == 503
    assert replica.exit_code() == 1
    assert "engine process ended with exit code -9" in replica.log.read_text()


def test_a_weak_server_stays_up_without_its_engine_and_says_so(fleet: dict[str, Replica], prompts: list[Prompt]) -> None:
    replica = fleet["stays"].ready()
    replica.engine.kill()
    wait_for(lambda: replica.health() == (503, "dead"), "health is red")
    assert replica.post(prompts[0].prompt).status_code == 503
    assert replica.api.poll() is None


def test_a_lost_device_fails_the_batch_as_cuda_would(
    fleet: dict[str, Replica], prompts: list[Prompt], tmp_path_factory: pytest.TempPathFactory
) -> None:
    replica = fleet["gpu"].ready()
    (replica.log.parent.parent / "devices" / "GPU-0" / "status").unlink()
    assert replica.health() == (200, "ready"), "an idle engine has not used the device yet"
    assert replica.post(prompts[0].prompt).status_code == 503
    assert replica.exit_code() == 1
    assert "CUDA error: device lost (GPU-0" in replica.log.read_text()


def test_a_device_lost_before_the_start_is_noticed_at_the_start(fleet: dict[str, Replica]) -> None:
    assert fleet["lost-gpu"].exit_code() == 1
    assert "CUDA error: device lost (GPU-1" in fleet["lost-gpu"].log.read_text()


def test_the_weak_health_check_stays_green_over_a_frozen_engine(fleet: dict[str, Replica], prompts: list[Prompt]) -> None:
    weak, strong = fleet["weak"].ready(), fleet["frozen"].ready()
    engines = [weak.engine, strong.engine]
    try:
        for engine in engines:
            engine.send_signal(signal.SIGSTOP)
        wait_for(lambda: strong.health()[0] == 503, "the strong check has noticed")
        age = weak.metric("inference_engine_progress_age_seconds")
        assert (weak.health()[0], age > 0.5) == (200, True)
    finally:
        for engine in engines:
            engine.send_signal(signal.SIGCONT)
    wait_for(lambda: strong.health() == (200, "ready"), "the strong check is green again")
    assert weak.text(prompts[0].prompt) == prompts[0].completion
