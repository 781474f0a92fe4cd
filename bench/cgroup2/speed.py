"""How much slower the virtual machine's processor is than this machine's: one piece of work, here by processor time, there by the clock.

So whatever others take from the virtual machine meanwhile counts as slowness, too: to a time limit it is the same.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from statistics import median

WORK = """
import asyncio, hashlib, json, ssl, subprocess, xml.dom.minidom
hashlib.sha256(b"x" * 5_000_000)
sum(n * n for n in range(300_000))
"""
"""A start of Python with some of its library, a digest, and a loop: what nodes, pods and the suite do all the time, in small."""
TIMES = 5
MOST = 60.0
"""So much slower it may be: a kubelet that needs a minute for a second's work is not heard of in time by anybody."""


def processor_s() -> float:
    """Return the processor time that the work takes here (s): the least of several, the caches being warm."""
    return min(_processor_s() for _ in range(TIMES))


def _processor_s() -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    _work()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def clock_s() -> float:
    """Return how long the work takes here by the clock (s): the median of several, the first left out."""
    return median([_clock_s() for _ in range(TIMES + 1)][1:])


def _clock_s() -> float:
    began_s = time.perf_counter()
    _work()
    return time.perf_counter() - began_s


def _work() -> None:
    subprocess.run([sys.executable, "-c", WORK], check=True)


def slower_by(there_s: float, here_s: float) -> float:
    """Return the factor, at least 1, to one decimal."""
    return max(1.0, round(there_s / here_s, 1))
