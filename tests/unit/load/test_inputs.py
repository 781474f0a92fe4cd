"""What a load needs before it may start; what is wrong is said before anything is sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from history.errors import ConfigError, HistoryError
from testing.load.load_runs import write_load_plan
from workloads.load.inputs import prepare, refuse_second_load


@pytest.mark.parametrize("held", ["requests.load-0.jsonl", "requests.parquet"])
def test_a_run_folder_records_one_load(tmp_path: Path, held: str) -> None:
    refuse_second_load(tmp_path, None)
    (tmp_path / held).touch()
    with pytest.raises(HistoryError, match="a run folder records one load"):
        refuse_second_load(tmp_path, None)
    with pytest.raises(HistoryError, match="a run folder records one load"):
        refuse_second_load(tmp_path, 0)


def test_workers_of_one_load_share_a_run_folder(tmp_path: Path) -> None:
    (tmp_path / "requests.load-0.jsonl").touch()
    refuse_second_load(tmp_path, 2)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"prompts": "/nowhere/prompts.jsonl"}, "prompts file /nowhere/prompts.jsonl cannot be read"),
        ({"url": "ftp://h"}, "load.url 'ftp://h' names no HTTP endpoint"),
        ({"url": "http://h:x"}, "load.url 'http://h:x' is not a URL"),
        ({"api_key_env": "NO_SUCH_KEY"}, r"environment variable NO_SUCH_KEY \(load.api_key_env\) is not set"),
        ({"headers": {"x-a": "b\r\nx-evil: 1"}}, "header 'x-a' holds a line break"),
        ({"ca_file": "/nowhere/ca.pem"}, "load.ca_file /nowhere/ca.pem is not a file"),
    ],
)
def test_what_cannot_start_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any], says: str) -> None:
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    write_load_plan(tmp_path, **{"url": "http://127.0.0.1:9"} | fields)
    with pytest.raises(ConfigError, match=says):
        prepare(tmp_path)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("oops", "prompts.jsonl:2: not JSON"),
        ("[1]", "prompts.jsonl:2: not a prompt"),
        ('{"completion": "b"}', "prompts.jsonl:2: not a prompt"),
        ('{"prompt": "a", "completion": 5}', "prompts.jsonl:2: not a prompt"),
    ],
)
def test_a_wrong_prompt_is_named_by_its_line(tmp_path: Path, line: str, says: str) -> None:
    plan = write_load_plan(tmp_path, "http://127.0.0.1:9")
    first = '{"prompt_id": "p000", "prompt": "a"}\n'
    Path(plan.requests.load.prompts).write_text(first + line + "\n")
    with pytest.raises(ConfigError, match=says):
        prepare(tmp_path)


def test_a_schedule_of_other_prompts_is_refused(tmp_path: Path) -> None:
    plan = write_load_plan(tmp_path, "http://127.0.0.1:9")
    prepare(tmp_path)
    Path(plan.requests.load.prompts).write_text('{"prompt": "a"}\n')
    with pytest.raises(ConfigError, match="asks for prompts that"):
        prepare(tmp_path)
