"""Continuous batching and its bounds, seen from outside."""

import signal
from concurrent.futures import ThreadPoolExecutor

from testing.waiting import wait_for
from tests.processes.inference.replica import Prompt, Replica, events, token_of


def test_a_request_joins_a_running_batch(shared: Replica, prompts: list[Prompt]) -> None:
    short = min(prompts, key=lambda p: len(p.prompt))
    wait_for(lambda: shared.metric("vllm:num_requests_running") == 0, "no request is running")
    steps, generated = shared.metric("inference_engine_steps"), shared.metric("vllm:generation_tokens_total")
    with shared.post(short.prompt, 180, stream=True) as long_answer:
        stream = events(long_answer)
        first = next(stream)
        assert shared.text(prompts[1].prompt, 20) == prompts[1].completion[:20]
        unfinished = shared.metric("vllm:generation_tokens_total") - generated < 200
        rest = [event for event in stream if event != "[DONE]"]
    assert unfinished, "the long answer was complete before the short one: they did not meet"
    assert "".join(map(token_of, [first, *rest]))[:64] == short.completion
    wait_for(lambda: shared.metric("vllm:generation_tokens_total") - generated == 200, "every token is counted")
    wait_for(lambda: shared.metric("vllm:num_requests_running") == 0, "the batch is empty")
    assert shared.metric("inference_engine_steps") - steps < 190, "180 + 20 tokens one after the other would be 200 steps"


def test_one_request_more_than_may_wait_is_told_to_come_again(fleet: dict[str, Replica], prompts: list[Prompt]) -> None:
    replica, row = fleet["patient"].ready(), prompts[0]
    replica.engine.send_signal(signal.SIGSTOP)  # nothing is answered, so everything stays where it is: 4 slots and 2 places in the queue
    taken = replica.metric("vllm:prompt_tokens_total")
    with ThreadPoolExecutor(6) as pool:
        answers = [pool.submit(replica.text, row.prompt, 8) for _ in range(6)]
        wait_for(lambda: replica.metric("vllm:prompt_tokens_total") - taken == 6 * len(row.prompt), "six requests are in flight")
        refused = replica.post(row.prompt)
        replica.engine.send_signal(signal.SIGCONT)
        assert [answer.result() for answer in answers] == [row.completion[:8]] * 6
    assert refused.status_code == 429
    assert refused.headers["retry-after"] == "1"
    assert replica.text(row.prompt, 8) == row.completion[:8]


def test_a_user_who_goes_away_frees_the_slot(shared: Replica, prompts: list[Prompt]) -> None:
    aborted = shared.metric("vllm:request_success_total", finished_reason="abort")
    with shared.post(min(prompts, key=lambda p: len(p.prompt)).prompt, 200, stream=True) as response:
        next(events(response))
    wait_for(lambda: shared.metric("vllm:request_success_total", finished_reason="abort") == aborted + 1, "the request is aborted")
    wait_for(lambda: shared.metric("vllm:num_requests_running") == 0, "its slot is free")
