"""A child for tests of the pytest plugin: does what its script says instead of a run. Started as ``runner.run.parent.CHILD``.

The script is a JSON file (environment FAKE_CHILD): experiment stem -> steps, each a list: ["say", message], ["plan", fields],
["verdict", fields], ["wait", seconds at most], ["until", file is there], ["on-term", steps], ["exit", code].
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

from testing.waiting import wait_for

Request = dict[str, Any]


def main() -> None:
    request = json.loads(sys.argv[1])
    script = json.loads(Path(os.environ["FAKE_CHILD"]).read_text())
    play(script[Path(request["experiment"]).stem], request)


def play(steps: list[Any], request: Request) -> None:
    for step in steps:
        match step:
            case ["say", message]:
                print(json.dumps(message), flush=True)
            case ["plan", fields]:
                write_planned(request, fields)
            case ["verdict", fields]:
                write_verdict(request, **fields)
            case ["on-term", after]:
                signal.signal(signal.SIGTERM, partial(end, after, request))
            case ["wait", seconds]:
                time.sleep(seconds)
            case ["until", file]:
                wait_for(Path(file).exists, file)
            case ["exit", code]:
                sys.exit(code)


def end(steps: list[Any], request: Request, *_: object) -> None:
    play(steps, request)
    sys.exit(0)


def write_planned(request: Request, fields: dict[str, Any]) -> None:
    planned = fields | {"run_id": request["run_id"], "created_ns": time.time_ns()}
    (Path(request["run_dir"]) / "plan.json").write_text(json.dumps(planned))


def write_verdict(request: Request, *, verdict: str, sentence: str = "as it is", checks: tuple[Any, ...] = ()) -> None:
    fields = {
        "run_id": request["run_id"], "verdict": verdict, "sentence": sentence, "complete": True, "checks": list(checks),
        "measurements": [{"name": "rto", "value": 1.5, "unit": "s"}],
    }  # fmt: skip
    (Path(request["run_dir"]) / "verdict.json").write_text(json.dumps(fields))


if __name__ == "__main__":
    main()
