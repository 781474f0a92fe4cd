"""docs/staging.md, followed to the letter on a cluster that the suite did not set up: from a kubeconfig to the commands of every night.

The commands are those of the page. What a person brings: a kubeconfig with the context that the page names, own names of the namespace and
of the target file, and one look at the draft.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.state import State
from testing.load.scripted_server import write_prompts
from testing.pages.commands import Person
from testing.platform.fake_cluster import ROOT
from testing.platform.staging import Staging

PAGE = (ROOT / "docs" / "staging.md").read_text()
CONTEXT, SUITE = "staging-eu", "aftershock"
DISCOVER, DOCTOR = ".venv/bin/python -m runner discover", ".venv/bin/python -m runner doctor"
RISKS = ".venv/bin/python -m runner risks"


def looked_at(draft: Path, staging: Staging) -> None:
    """Do what step 2 says: how users reach the model server from here, what the load asks for, how much of it."""
    ports = {frontend.name: frontend.port for frontend in State(staging.cluster.name).load_config().frontends}
    raw: Any = yaml.safe_load(draft.read_text())
    users = raw["workloads"]["realtime-inference"]
    users["slo"] = {"ratio": "95%", "latency": "3s", "ttft": "3s", "max_gap": "3s"}
    users["load"] |= {
        "model": "acme-1", "rate_rps": 14, "timeout": "10s", "in_flight_cap": 128,
        "prompts": str(write_prompts(staging.folder / "page-prompts.jsonl")),
        "mix": [{"weight": 3, "max_tokens": [8, 32]}, {"weight": 1, "stream": True, "max_tokens": [16, 48]}],
    }  # fmt: skip
    for region in raw["regions"].values():
        region["endpoints"] = {users["load"]["endpoint"]: f"http://127.0.0.1:{ports['inference']}"}
        region["prometheus"] = {"url": f"http://127.0.0.1:{ports['prometheus']}"}
    draft.write_text(yaml.safe_dump(raw, sort_keys=False))


@pytest.fixture
def person(staging: Staging, tmp_path: Path) -> Iterator[Person]:
    """Somebody with a kubeconfig of all rights, and kubectl."""
    state = State(staging.cluster.name)
    config: Any = yaml.safe_load(state.kubeconfig.read_text())
    config["contexts"][0]["name"] = config["current-context"] = CONTEXT
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config))
    environment = {
        "KUBECONFIG": str(tmp_path / "kubeconfig"),
        "KUBECACHEDIR": str(tmp_path / "kubectl"),
        "PATH": f"{state.programs}:/usr/local/bin:/usr/bin:/bin",
    }
    names = {"llm-serving": "acme-models", "targets/staging.yaml": str(tmp_path / "staging.yaml")}
    yield Person(
        ROOT,
        names,
        environment,
        passed_by=("make setup",),
        may_say={f"{one} --target targets/staging.yaml": (1,) for one in (DOCTOR, RISKS)},
    )
    staging.cluster.kubectl("delete", "namespace", SUITE, "--ignore-not-found")
    for kind in ("validatingadmissionpolicy", "validatingadmissionpolicybinding"):
        found = json.loads(staging.cluster.kubectl("get", kind, "-o", "json"))["items"]
        for name in (one["metadata"]["name"] for one in found if one["metadata"]["name"].endswith(f".{SUITE}")):
            staging.cluster.kubectl("delete", kind, name)
    staging.apply(yaml.safe_dump_all(staging.printed_rbac()))  # the roles of one name are the other tests' again


@pytest.mark.quiet
@pytest.mark.timeout(1800)
def test_the_path_of_the_page_ends_in_verdicts(person: Person, staging: Staging, tmp_path: Path) -> None:
    said: dict[str, list[str]] = {}
    for command, text in person.follow(PAGE):
        said.setdefault(command, []).append(text)
        if command.startswith(DISCOVER):
            looked_at(tmp_path / "staging.yaml", staging)
    whole = "\n".join(text for texts in said.values() for text in texts)
    assert "Traceback" not in whole
    doctor = next(text for command, [text] in said.items() if command.startswith(DOCTOR) and "$E" in command)
    assert "0 are refused" in doctor, doctor
    runs = [command for command in said if ("pytest -m chaos" in command or "make nightly" in command) and "dry-run" not in command]
    sessions = [text for command in runs for text in said[command]]
    assert [text for text in sessions if "passed" not in text or "failed" in text] == []
