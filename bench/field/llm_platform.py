"""The scripted LLM platform under the real load: users hurt, by its own account and by the verdict, and how long they were hurt."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache, partial
from pathlib import Path
from tempfile import mkdtemp

from bench.field.cases import Seen, case
from testing.load.llm_runs import Played, play

PART = "verdicts"
FAULTS: dict[str, tuple[str, float, int]] = {
    "503 to all for 6 s": ("refuse", 6.0, 0),
    "frozen for 8 s": ("freeze", 8.0, 0),
    "one of three replicas killed": ("kill", 0.0, 0),
    "11 streams aborted": ("abort", 0.0, 11),
}
MOST_OFF = 1
"""By so many the users hurt may differ: one whose answer took as long as the SLO allows is late by one clock and not by the other."""


@cache
def _all() -> dict[str, Future[Played]]:
    """Play all faults at once, each against a platform of its own: their answers are waited for, not computed."""
    pool = ThreadPoolExecutor(len(FAULTS))
    folder = Path(mkdtemp(prefix="llm-platform-"))
    return {kind: pool.submit(play, folder / kind, kind, for_s=for_s, count=count) for kind, for_s, count in FAULTS.values()}


def seen(played: Played) -> Seen:
    """Hold the verdict beside the platform's account: users hurt, the RTO's interval, and no word of nobody having noticed."""
    rto = next(check for check in played.verdict.checks if check.name == "rto")
    found = {name: measured.value for name in ("requests_bad", "requests_interrupted") if (measured := played.verdict.measurement(name))}
    bad, interval = found.get("requests_bad"), (rto.low, rto.high)
    lasted_s, hurt = played.told.lasted_s, played.told.hurt_by()
    holds = rto.low is not None and rto.high is not None and rto.low <= lasted_s <= rto.high
    right = bad is not None and abs(bad - hurt) <= MOST_OFF and holds and "noticed no outage" not in rto.sentence
    under_way = f"{found.get('requests_interrupted')} of {played.told.under_way} under way"
    return Seen(f"{bad} hurt ({under_way}), truth {hurt}; RTO {interval} s, truth {lasted_s:.2f} s; {rto.sentence}", right)


def _run(kind: str) -> Seen:
    return seen(_all()[kind].result())


for _words, (_kind, _for_s, _count) in FAULTS.items():
    case(PART, f"scripted LLM platform, answers of 4 to 32 s, {_words}", f"hurt as it says ± {MOST_OFF}, its time in the RTO's interval")(
        partial(_run, _kind)
    )
