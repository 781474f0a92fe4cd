"""The classes of workload of a draft: what users ask, and training jobs as far as templates of them were found."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from runner.discovery.draft.entry import Entry
from runner.discovery.draft.page import Page, flow
from runner.discovery.draft.words import listed
from runner.discovery.own_answers import models_of
from runner.discovery.roles import RoleDraft
from runner.discovery.selectors import written
from runner.discovery.survey import Recognised, Survey
from runner.discovery.training_jobs import Template

MODEL = re.compile(r"^--?(served[-_]model[-_]name|model[-_](path|id|name)|model|alias|m)(?:=(.+))?$")
KEYS = re.compile(r"api[-_]?key", re.IGNORECASE)
SERVES = "serve"  # vllm serve MODEL
FILE = ".gguf"  # of llama.cpp
PROMPTS = "workloads/inference/prompts.jsonl"
RATE_RPS, QUEUE_MAX = 1, 10
REQUESTS: Mapping[str, object] = {
    "chat": {"api": "chat"},
    "triton": {
        "api": "own",
        "template": {
            "path": "/v2/models/{model}/generate",
            "stream_path": "/v2/models/{model}/generate_stream",
            "body": {"text_input": "{prompt}", "parameters": {"max_tokens": "{max_tokens}", "stream": "{stream}", "temperature": 0}},
            "answer": {"text": "text_output"},
            "stream_end": "close",
        },
    },
}
"""What a load must say of an API that is not completions. Triton: docs/protocol/extension_generate.md of its server."""


def write_workloads(page: Page, survey: Survey, roles: Sequence[RoleDraft], ways: Sequence[Entry]) -> None:
    """Write the classes; without an engine or a way to it none can be written."""
    engine = next((one for one in roles if one.name == "inference"), None)
    training = survey.training
    if engine is None or not ways:
        page.question(
            "what do users ask, and what do they expect? A class of requests needs a role and an endpoint; see targets/staging.example.yaml"
        )
        page.key("workloads", {})
    else:
        with page.under("workloads"):
            _requests(page, survey, engine, ways[0])
    for name, remark in training.operators:
        page.comment(f"{name} is installed{f': {remark}' if remark else ''}")
    if training.jobs:
        page.comment(f"of these there are {listed(training.jobs)}")
    _training(page, survey, roles)


def _requests(page: Page, survey: Survey, engine: RoleDraft, entry: Entry) -> None:
    with page.under("realtime-inference"):
        page.key("kind", "requests")
        page.key("role", engine.name)
        page.decide(
            "your SLO. A request is good if its whole answer came within latency, its first token within ttft, no two further apart"
        )
        page.key("slo", {"ratio": "99%", "latency": "20s", "ttft": "2s", "max_gap": "1s"})
        if _has_gauge(survey, engine):
            page.decide("how many requests may wait in front of the engines while all is well?")
            page.key("steady_state", {"queue_max": QUEUE_MAX})
        page.decide("your budgets; an experiment may set its own")
        page.key("budgets", {"rto": "60s", "rpo_requests": 0})
        page.key("answers", "unknown", "the right answers are not known here; docs/answers.md says how to have them checked")
        with page.under("load"):
            _load(page, survey, engine, entry)


def _has_gauge(survey: Survey, engine: RoleDraft) -> bool:
    return any(one.url and engine.found.workload in one.engines.by_workload for one in survey.prometheus)


def _load(page: Page, survey: Survey, engine: RoleDraft, entry: Entry) -> None:
    page.key("endpoint", "inference")
    _model(page, survey, engine)
    page.decide("below what the platform can serve with one replica less, or one zone")
    page.key("rate_rps", RATE_RPS)
    page.key("arrivals", "poisson")
    page.decide("prompts like your users'")
    page.key("prompts", PROMPTS)
    page.key("mix", [{"weight": 1, "max_tokens": [16, 64]}, {"weight": 1, "stream": True, "max_tokens": [16, 64]}])
    page.key("in_flight_cap", 64)
    page.key("timeout", "60s")
    if entry.way.inside:
        page.decide(
            "its name is known inside the cluster alone, so the load runs in pods there, of the suite's image; or give users a way in"
        )
        page.key("workers_as", "pods")
    if request := REQUESTS.get(engine.found.api):
        page.key("request", request, f"{engine.found.names} is asked so")
    elif not engine.found.api:
        page.question("which API does it speak? Left out: OpenAI's completions; request: {api: chat}, or a template: docs/staging.md")
    for text in _keys_wanted(engine.found, entry.role.found):
        page.question(text)
        page.aside(["api_key_env: LLM_API_KEY"])


def _model(page: Page, survey: Survey, engine: RoleDraft) -> None:
    served = models_of(survey.reader, engine.found.workload, engine.port, engine.found.path) if engine.port else []
    if served:
        page.key("model", served[0], f"it says that it serves {listed(served)}")
    elif said := model_of(engine.found):
        page.key("model", said, "its command line says so")
    else:
        page.question("which model do users name?")
        page.key("model", "MODEL")


def model_of(found: Recognised) -> str:
    """Return the model that a command line names, by the name under which it is served before where it lies; empty: none."""
    container = found.workload.container
    words = [word for text in [*(container.command or []), *(container.args or [])] for word in text.split()]
    said: dict[str, str] = {}
    for word, after in zip(words, [*words, ""][1:], strict=True):
        if option := MODEL.match(word):
            said.setdefault(option[1].replace("_", "-"), option[3] or after)  # of python -m, too, which names no file
        elif word == SERVES and after and not after.startswith("-"):
            said.setdefault("model", after)
    if not said.get("m", "").endswith(FILE):
        said.pop("m", None)
    order = ("served-model-name", "alias", "model-name", "model", "model-id", "model-path", "m")
    return next((value for name in order if (value := said.get(name, "")) and not value.startswith(("-", "$"))), "")


def _keys_wanted(*found: Recognised) -> Iterator[str]:
    """Yield that a server wants a key of its users, by names alone: no value is looked at."""
    for one in dict.fromkeys(found):
        container = one.workload.container
        named = [item.name for item in container.env or [] if KEYS.search(item.name)]
        named += [text.partition("=")[0] for text in container.args or [] if text.startswith("--") and KEYS.search(text.partition("=")[0])]
        if named:
            yield f"{one.workload} wants a key of its users ({listed(named)}). Which variable of yours holds it?"


def _training(page: Page, survey: Survey, roles: Sequence[RoleDraft]) -> None:
    found = survey.training
    for text in found.refused:
        page.comment(f"cannot be a template as it is: {text}")
    if found.others:
        page.comment(f"suspended, and not known as training: {listed(found.others)}")
    if not found.templates:
        page.question(
            "of what are training jobs made? No suspended CronJob or JobSet that looks like training was found: docs/your-training-job.md"
        )
        return
    storage = next((one.name for one in roles if one.found.part == "storage"), "storage")
    for one in found.templates:
        _template(page, one, storage)


def _template(page: Page, found: Template, storage: str) -> None:
    page.because(f"{found.kind} {found.name} in {found.namespace} is suspended and looks like training: {listed(found.reasons)}")
    page.question(
        "who keeps its ledger? Its pods must speak to one: docs/your-training-job.md. Then take in, under roles and under workloads:"
    )
    selector = written({key: value for key, value in found.labels.items() if "/" not in key} or found.labels) or "app=trainer"
    role = {"namespace": found.namespace, "selector": selector, "container": found.container, "of_run": True}
    job = {"kind": found.kind, "template": found.name, "ledger": "ledger:8100", "storage": storage}
    page.aside(
        [f"trainer: {flow(role)}   # {found.pods} pods", "batch-training:", "  kind: training", "  role: trainer", f"  job: {flow(job)}"]
    )
