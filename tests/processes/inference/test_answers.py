"""Answers through the real processes against a pass that shares nothing with the engine but the weights."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
import torch

from tests.processes.inference.replica import Prompt, Replica, events, token_of
from workloads.inference import model, reference, tokens, weights


def test_a_plain_answer_is_the_independent_passes(shared: Replica, prompts: list[Prompt]) -> None:
    torch.set_num_threads(1)
    plain = reference.load_model(weights.SHIPPED)
    for row in (prompts[0], max(prompts, key=lambda p: len(p.prompt))):
        expected, _ = model.greedy(plain, tokens.encode(row.prompt), 64)
        assert shared.text(row.prompt) == tokens.decode(expected) == row.completion


def test_every_shipped_prompt_is_answered_alike_in_a_full_batch(shared: Replica, prompts: list[Prompt]) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda p: shared.text(p.prompt, 12), prompts))
    assert answers == [p.completion[:12] for p in prompts]
    assert len(prompts) >= 64


def test_a_streamed_answer_has_one_event_a_token_then_done(shared: Replica, prompts: list[Prompt]) -> None:
    with shared.post(prompts[3].prompt, 20, stream=True) as response:
        *chunks, done = events(response)
    assert "".join(map(token_of, chunks)) == prompts[3].completion[:20]
    assert len(chunks) == 20
    assert done == "[DONE]"
    assert '"completion_tokens":20' in chunks[-1]


def test_the_answer_names_pod_and_request(shared: Replica, prompts: list[Prompt]) -> None:
    body = {"model": "aftershock-ring", "prompt": prompts[0].prompt, "max_tokens": 1}
    answer = requests.post(f"{shared.url}/v1/completions", json=body, headers={"x-request-id": "r-17"}, timeout=30)
    assert (answer.headers["x-pod"], answer.headers["x-request-id"]) == ("shared", "r-17")
    assert answer.json()["usage"] == {
        "prompt_tokens": len(prompts[0].prompt),
        "completion_tokens": 1,
        "total_tokens": len(prompts[0].prompt) + 1,
    }


@pytest.mark.parametrize(
    ("change", "status", "sentence"),
    [
        ({"model": "gpt"}, 404, "model 'gpt' is not served here"),
        ({"prompt": ""}, 400, "prompt: String should have at least 1 character"),
        ({"prompt": "naïve"}, 400, "character 'ï' at position 2"),
        ({"max_tokens": 256}, 400, "exceed the context of 256 tokens"),
        ({"temperature": 0.7}, 400, "temperature: Input should be 0"),
        ({"n": 2}, 400, "n: Extra inputs are not permitted"),
    ],
)
def test_what_cannot_be_answered_as_asked_is_refused(shared: Replica, change: dict[str, object], status: int, sentence: str) -> None:
    prompt = str(change.pop("prompt", "the "))
    answer = shared.post(prompt, **change)  # type: ignore[arg-type]  # max_tokens comes by name, too
    assert answer.status_code == status
    assert sentence in answer.json()["error"]["message"]
