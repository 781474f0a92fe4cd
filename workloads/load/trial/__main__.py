"""``python -m workloads.load.trial``: read a load from stdin (JSON), send one request of each kind, print what stands against it.

A process of its own, as the load is one: gevent's loop and the runner's threads stay apart. Stdout is a JSON list of sentences, empty if
every request was answered. Exit code 0; what cannot even be sent is such a sentence, too.
"""

from __future__ import annotations

import sys

import orjson

from history.errors import AftershockError
from history.workloads import Load
from workloads.load.trial.trial import refusals


def main() -> int:
    """Try the load of stdin."""
    load = Load.model_validate_json(sys.stdin.buffer.read())
    try:
        found = refusals(load)
    except AftershockError as error:
        found = [str(error)]
    sys.stdout.buffer.write(orjson.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
