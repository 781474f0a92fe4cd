"""Asking through ``pods/exec``: the kubelet's own command, or an HTTP client that the container happens to have."""

from __future__ import annotations

import shlex

from kubernetes.client.exceptions import ApiException

from kube.answers import message_of
from kube.client import Platform
from kube.container_exec import Ran, run_in
from kube.health.answer import Answer
from kube.health.questions import ExecQuestion, HttpQuestion, Question
from kube.objects import Pod

OPEN_S = 2.0
BEGIN_S = 4.0  # for a client to start in a busy container
PYTHON = """
import ssl, sys, urllib.error, urllib.request as r
limit, url, *headers = sys.argv[1:]
asks = r.build_opener(r.ProxyHandler({}), r.HTTPSHandler(context=ssl._create_unverified_context()))
try:
    status = asks.open(r.Request(url, headers=dict(one.split(": ", 1) for one in headers)), timeout=float(limit)).status
except urllib.error.HTTPError as error:
    status = error.code
print(status)
"""
CURL = ("curl", "-skLo", "/dev/null", "--max-redirs", "10", "--noproxy", "*", "-w", "%{http_code}")
NO_CLIENT = "127"  # what a shell ends with where a command is not there


def can_ask(question: Question) -> bool:
    """Tell whether the kubelet's question would arrive as it is."""
    return isinstance(question, ExecQuestion) or (isinstance(question, HttpQuestion) and bool(question.path))


def ask(platform: Platform, pod: Pod, question: ExecQuestion | HttpQuestion) -> Answer:
    """Ask a pod; a container in which nothing can be run answers nothing. All containers share the address that HTTP is asked at."""
    if isinstance(question, ExecQuestion):
        ran = _run(platform, pod, question.container, list(question.command), question.limit_s)
        return ran if isinstance(ran, Answer) else _ended(ran, question)
    answer = Answer(None, "nothing: it has no container")
    for container in pod.spec.containers:
        ran = _run(platform, pod, container.name, client(pod, question), question.limit_s + BEGIN_S)
        answer = ran if isinstance(ran, Answer) else _status(ran, question)
        if answer.well is not None:
            break
    return answer


def _run(platform: Platform, pod: Pod, container: str, command: list[str], limit_s: float) -> Ran | Answer:
    try:
        return run_in(platform, (pod.metadata.namespace, pod.metadata.name, container), command, limit_s=limit_s, open_s=OPEN_S)
    except ApiException as error:
        return Answer(None, f"nothing: {message_of(error)}")


def client(pod: Pod, question: HttpQuestion) -> list[str]:
    """Return a command that prints the status of an answer: by Python, else by curl."""
    named = {"Host": f"{question.host or pod.status.pod_ip}:{question.port}"} | dict(question.headers)
    headers, limit = [f"{name}: {value}" for name, value in named.items()], f"{question.limit_s:g}"
    url = f"{question.scheme.lower()}://{question.host or '127.0.0.1'}:{question.port}{question.path}"
    python = shlex.join(["-c", PYTHON, limit, url, *headers])
    curl = shlex.join([*CURL, "-m", limit, *(part for header in headers for part in ("-H", header)), url])
    line = f"for it in python3 python; do command -v $it >/dev/null && exec $it {python}; done; exec {curl}"
    return ["sh", "-c", line]


def _ended(ran: Ran, question: ExecQuestion) -> Answer:
    if ran.succeeded:
        return Answer(True, "0")
    if ran.failed:
        return Answer(False, ran.failure)
    return Answer(None, f"nothing: {ran.failure}" if ran.failure else f"nothing within {question.limit_s:g} s")


def _status(ran: Ran, question: HttpQuestion) -> Answer:
    status = ran.output.strip()
    if status.isdecimal() and int(status):
        return Answer(question.answered(int(status)), status)
    if ran.failure and (not ran.failed or NO_CLIENT in ran.failure):
        return Answer(None, f"nothing: {ran.failure}; the container needs sh, and python or curl")
    return Answer(None, f"nothing within {question.limit_s:g} s")
