"""The whole draft: head, suite, region, roles, limits, classes."""

from __future__ import annotations

import re
from dataclasses import dataclass

from kube.versions import TRIED, missing_in, shown
from runner.discovery.draft.entry import entries
from runner.discovery.draft.load import write_workloads
from runner.discovery.draft.page import BECAUSE, DECIDE, QUESTION, Page
from runner.discovery.draft.region import CONSENT, OWN, write_region
from runner.discovery.draft.role_text import write_roles
from runner.discovery.draft.words import count, gaps_in_words, grants, listed
from runner.discovery.roles import draft_roles
from runner.discovery.survey import Survey
from target.secrets.hiding import redact_text

NAME = re.compile(r"[^a-z0-9]+")
IMAGE = "registry.example.org/aftershock/suite:1.0"


@dataclass(frozen=True, slots=True)
class Draft:
    """A target file as text; how many decisions and questions it has; what was found, in a few words."""

    text: str
    decisions: int
    questions: int
    roles: tuple[str, ...]


def write_draft(survey: Survey, command: str) -> Draft:
    """Return the draft of what was found; ``command``: by which it was made."""
    roles = draft_roles(survey)
    ways, page, body = entries(roles), Page(), Page()
    _suite(body, survey)
    write_region(body, survey, roles, ways)
    body.gap()
    write_roles(body, survey, roles)
    body.gap()
    body.decide("the most that one fault may touch; the last ready replica of a role is never taken unless an experiment says so")
    body.key("limits", {"pods": 3, "nodes": 2, "share_of_role": "67%"})
    body.gap()
    write_workloads(body, survey, roles, ways)
    _head(page, survey, command)  # after the rest: only then all that could not be read is known
    text = redact_text(page.text() + body.text())
    asked = {kind: page.asked[kind] + body.asked[kind] for kind in (DECIDE, QUESTION)}
    found = tuple(f"{one.name} ({one.found.workload}: {one.found.names})" for one in roles)
    return Draft(text, asked[DECIDE], asked[QUESTION], found)


def _head(page: Page, survey: Survey, command: str) -> None:
    now = survey.cluster.platform.server_time()
    page.comment(
        f"Draft of a target file for context {survey.cluster.context}, made by {command} on {now:%Y-%m-%d}. Nothing was changed there."
    )
    page.comment(
        f"'{BECAUSE}' says why a line stands as it does: a guess, until somebody has looked. '{DECIDE}' is a person's to say: the value "
        f"below it is an example. '{QUESTION}' could not be found. targets/staging.example.yaml explains every key."
    )
    page.comment(_looked_into(survey))
    for name in survey.reader.not_there:
        page.question(f"is namespace {name} meant? There is none of that name")
    _version(page, survey)
    gaps = list(gaps_in_words(survey.gaps))
    if gaps:
        page.comment("Could not be read, so this is what is known without it:")
        for text in gaps:
            page.comment(f"- {text}")
    if commands := grants(survey.gaps):
        page.comment("An administrator grants it by (WHO: as kubectl auth whoami says):")
        page.aside(commands)


def _looked_into(survey: Survey) -> str:
    where = f"namespaces {listed(survey.only)}" if survey.only else count(len(survey.namespaces), "namespace") + ", all that are known"
    pods = sum(len(one.pods) for one in survey.workloads)
    return f"Looked into: {where}; {count(len(survey.workloads), 'workload')} of {count(pods, 'pod')}."


def _version(page: Page, survey: Survey) -> None:
    if survey.version is None:
        return
    older = " It is older than any on which the suite is tried." if survey.version < TRIED else ""
    page.comment(f"Kubernetes {shown(survey.version)}.{older}")
    for text in missing_in(survey.version):
        page.comment(f"- {text}")


def _suite(page: Page, survey: Survey) -> None:
    page.key("schema", 2)
    page.key("name", NAME.sub("-", survey.cluster.context.lower()).strip("-")[-40:].strip("-") or "cluster", "the context is called so")
    page.gap()
    page.decide("where the suite keeps its journal and leases, and the image that it runs there: images/")
    if OWN not in survey.namespaces:
        page.comment(f"not there yet, as far as may be read: kubectl create namespace {OWN}")
    page.key("suite", {"namespace": OWN, "image": IMAGE})
    page.key("consent_label", CONSENT, "that is what a namespace must carry to consent; another one if yours has one for this")
    page.gap()
