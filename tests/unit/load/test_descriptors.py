"""The table of descriptors has its final size before the load starts, and nothing is left open."""

from __future__ import annotations

import subprocess
import sys

import pytest

from testing.load.program import ROOT

PROGRAM = """
import os, resource
from pathlib import Path
from workloads.load.descriptors import make_room_for
resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))
before = os.listdir("/proc/self/fd")
make_room_for(5000)
assert os.listdir("/proc/self/fd") == before
sizes = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
print(sizes["FDSize"].strip(), *resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@pytest.mark.parametrize(
    ("soft", "hard", "soft_after", "room"),
    [(6000, 6000, 6000, 5256), (256, 6000, 5256, 5256), (256, 1000, 1000, 1000)],
    ids=["enough", "a low limit is raised", "as far as it goes"],
)
def test_room_is_made(soft: int, hard: int, soft_after: int, room: int) -> None:
    program = PROGRAM.format(soft=soft, hard=hard)
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True)
    size, now, most = map(int, done.stdout.split())
    assert (now, most) == (soft_after, hard)
    assert size >= room
