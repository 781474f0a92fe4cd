"""Sends one request of each kind in the mix, and says what came in place of an answer.

What may pass by itself (no connection, a status of 429 or 5xx) is asked again, twice. Correctness is not judged here: an answer that is
whole is an answer.
"""

from __future__ import annotations

from pathlib import Path

import gevent

from history.clock import now_ns
from history.errors import ConfigError
from history.prompts import Prompt, fitting_prompts, read_prompts
from history.schema import Outcome
from history.workloads import Load, Mix
from workloads.load.client import Client, Row
from workloads.load.exchange import Call
from workloads.load.trial.advice import advice
from workloads.load.wire.endpoint import API_PATHS, Endpoint, request_target

TRIES, AGAIN_S = 3, 1.0
NAME = "preflight"
OF_ANOTHER_API = frozenset({400, 404, 405, 422, 501})


def refusals(load: Load) -> list[str]:
    """Return a sentence for each way in which requests of ``load`` are not answered, in the server's own words.

    Raises:
        ConfigError: what is wrong with the load itself: its URL, its files, its variables, its prompts.

    """
    client, calls = Client(load, NAME, NAME), calls_of(load, read_prompts(Path(load.prompts)))
    asked = [gevent.spawn(_answered, client, call) for call in calls]
    gevent.joinall(asked)
    failed: dict[tuple[str, str], list[tuple[Call, Row]]] = {}
    for call, greenlet in zip(calls, asked, strict=True):
        row = greenlet.get()
        if row["outcome"] != Outcome.OK.value:
            failed.setdefault((request_target(Endpoint.of(load.url), load, stream=call.stream), row["error"] or ""), []).append((call, row))
    return [_sentence(load, target, error, of_it) for (target, error), of_it in failed.items()]


def calls_of(load: Load, prompts: tuple[Prompt, ...]) -> list[Call]:
    """Return one request for each kind in the mix: the most that it may ask for, which is what a server may refuse."""
    calls: dict[Mix, Call] = {}
    for index, mix in enumerate(load.mix):
        fitting = [prompts[number] for number in fitting_prompts(prompts, mix.prompt_chars, f"mix {index}", load.prompts)]
        longest = max(fitting, key=lambda one: len(one.prompt))
        calls.setdefault(mix, Call(index, now_ns(), mix.stream, longest, mix.max_tokens[1]))
    return list(calls.values())


def _answered(client: Client, call: Call) -> Row:
    """Return the row of the first attempt whose ending is final, or of the last."""
    for number in range(TRIES):
        row = client.attempt(call, number)
        if not _may_pass(row):
            break
        gevent.sleep(AGAIN_S)
    return row


def _may_pass(row: Row) -> bool:
    if row["outcome"] == Outcome.OK.value:
        return False
    status: int | None = row["status"]
    if status is None:
        return not str(row["error"]).startswith(("Timeout", "ConnectTimeout", "SSL", "NotHttp"))
    return status == 429 or status >= 500


def _sentence(load: Load, target: str, error: str, failed: list[tuple[Call, Row]]) -> str:
    endpoint = Endpoint.of(load.url)
    method = load.request.template.method if load.request.template else "POST"
    kinds = " and ".join(dict.fromkeys("streamed" if call.stream else "plain" for call, _ in failed))
    call, row = failed[0]
    misread = error.startswith("BadAnswer: choices")
    answers = _other_api(load, call) if row["status"] in OF_ANOTHER_API or misread else ""
    says = f"it does answer api {answers}: set load.request.api to it" if answers else advice(load, endpoint, error)
    where = f"{'https' if endpoint.tls else 'http'}://{endpoint.authority}{target}"
    return f"endpoint {load.endpoint or load.url}: {method} {where} ({kinds}) was not answered: {error}; {says}"


def _other_api(load: Load, call: Call) -> str:
    """Return the API that the server does answer, empty if none."""
    for api in API_PATHS:
        if api == load.request.api:
            continue
        other = load.model_copy(update={"request": load.request.model_copy(update={"api": api, "template": None})})
        try:
            if Client(other, NAME, NAME).attempt(call, 0)["outcome"] == Outcome.OK.value:
                return api
        except ConfigError:  # the endpoint is written for one API alone
            continue
    return ""
