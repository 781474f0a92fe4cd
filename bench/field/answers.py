"""What answers real servers give: the real load against a server that answers so, and what the verdict makes of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl

from bench.field.cases import Seen, case
from history.reader import read_table
from history.workloads import Mix
from testing.histories.edits import asked, change_rows
from testing.histories.mutations import HIT
from testing.histories.truth import build
from testing.load.llm_answers import TOKENS
from testing.load.llm_server import llm_server
from testing.load.load_runs import finish, start_load, write_load_plan
from verdict import judge

PART = "answers"
PLAIN, STREAM = "plain", "stream"
ASKED = len(TOKENS)
UNKNOWN = [{"prompt": "What is Paris?"}]
CUTS = ("done", "end", "closed", "reset")
Row = dict[str, Any]


def loaded(folder: Path, behaviour: str, kind: str, prompts: Sequence[Row] = UNKNOWN, tokens: int = ASKED, **request: bool) -> Row:
    """Return what the real load recorded of a request to a server that behaves so. Raises ValueError: its answers were judged unlike."""
    file = folder / "asked.jsonl"
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in prompts), encoding="utf-8")
    mix = (Mix(weight=1, stream=kind == STREAM, max_tokens=(tokens, tokens)),)
    with llm_server() as url:
        offered: dict[str, Any] = {
            "rate_rps": 10.0,
            "arrivals": "constant",
            "horizon_s": 0.5,
            "mix": mix,
            "prompts": str(file),
            "request": request,
        }
        write_load_plan(folder, f"{url}/{behaviour}", **offered)
        code, _, errors = finish(start_load(folder))
    if code:
        raise ValueError(errors.strip())
    columns = ("outcome", "complete", "valid", "status", "error", "max_gap_ms", "max_visible_gap_ms", "first_byte_ns")
    rows = read_table(folder, "requests").select(columns)
    alike = rows.select("outcome", "complete", "valid", "status", "error").unique()
    if alike.height != 1:
        raise ValueError(f"{alike.height} different results of the same bytes: {alike.rows()}")
    return rows.row(0, named=True)


def served(row: Row) -> str:
    """Return how an attempt ended, in words."""
    valid = {None: "not compared", True: "right", False: "wrong"}[row["valid"]]
    good = row["outcome"] == "ok" and row["complete"]
    return f"whole, {valid}" if good and not row["error"] else f"{row['outcome']}, {valid}: {row['error']}"


def behaves(behaviour: str, kind: str, right: str, wanted: str | None = None, **request: bool) -> None:
    """Register a behaviour of the server, in a stream or in a plain answer; ``wanted``: what is measured if it is right."""
    given = f"`{behaviour}` {kind}" + (", the target sends ignore_eos" if request else "")

    @case(PART, given, right)
    def run() -> Seen:
        with TemporaryDirectory() as folder:
            seen = served(loaded(Path(folder), behaviour, kind, UNKNOWN, ASKED, **request))
        return Seen(seen, seen == (wanted or right))


GOOD = "whole, not compared"
ABORTED = "fail, not compared: Unfinished: not a whole answer (finish_reason 'abort')"
EMPTY = f"fail, not compared: EmptyAnswer: no token of {ASKED} (finish_reason 'stop')"
SHORT = f"fail, not compared: ShortAnswer: ended before {ASKED} tokens (finish_reason 'stop')"
NEVER = "never acknowledged; the error quoted"
for _kind in (PLAIN, STREAM):
    behaves("abort_done", _kind, "not whole, bad, the error names the reason", ABORTED)
    behaves("empty_answer", _kind, "EmptyAnswer", EMPTY)
    behaves("eos_stop", _kind, "good", GOOD)
    behaves("eos_stop", _kind, "short answer", SHORT, ignore_eos=True)
behaves("error_in_200", PLAIN, NEVER, "fail, not compared: ErrorAnswer: EngineCore encountered an issue")
for _name in ("event_ping_empty_data", "multi_data", "usage_no_choices_key", "text_null_last", "error_null"):
    behaves(_name, STREAM, "good", GOOD)

LIKE_ITS_OWN = "good: what each engine calls it"
for _kind in (PLAIN, STREAM):
    behaves("reason_object", _kind, LIKE_ITS_OWN, GOOD)
behaves("reason_null_text", STREAM, LIKE_ITS_OWN, GOOD)
behaves("abort_object", PLAIN, "not whole, bad, the error names the reason", ABORTED)
behaves("abort_then_stop", STREAM, "not whole: given up is given up", ABORTED)
behaves("only_pings.end", STREAM, "EmptyAnswer", f"fail, not compared: EmptyAnswer: no token of {ASKED}")
behaves(
    "hidden", PLAIN, "EmptyAnswer; says that tokens were counted", EMPTY.replace("stop", "length") + f", and the server counted {ASKED}"
)
behaves("error_in_choice", PLAIN, NEVER, "fail, not compared: ErrorAnswer: Provider disconnected")
behaves(
    "error_to_obey", PLAIN, "quoted, and no terminal obeys it", r"fail, not compared: ErrorAnswer: \x1b[2J\x1b[31mred \u202egnp 显存不足"
)
behaves("half_characters", STREAM, "good: an event is decoded as the standard says", GOOD)


def cut_anyhow(behaviour: str, wanted: str) -> None:
    """Register a stream that went wrong, whose end is cut in every way: the same result for the same bytes."""

    @case(PART, f"`{behaviour}` stream, cut in {len(CUTS)} ways ({', '.join(CUTS)})", "never acknowledged; the same result each time")
    def run() -> Seen:
        seen = []
        for cut in CUTS:
            with TemporaryDirectory() as folder:
                seen.append(served(loaded(Path(folder), f"{behaviour}.{cut}", STREAM)))
        return Seen("; ".join(sorted(set(seen))), set(seen) == {f"fail, not compared: {wanted}"})


cut_anyhow("error_in_200", "StreamError: EngineCore encountered an issue")
cut_anyhow("error_event_tgi", "StreamError: overloaded")
cut_anyhow("error_plain_text", "BadAnswer: not JSON: upstream connect error or disconnect before headers")


@case(PART, "`special_tokens_silent`: a chunk each 20 ms, text empty for 1 s", "gap between chunks 20 ms; gap of visible text beside it")
def special_tokens_silent() -> Seen:
    """Look for both gaps in the record: between chunks, and between those with text."""
    with TemporaryDirectory() as folder:
        row = loaded(Path(folder), "special_tokens_silent", STREAM)
    gap_ms, visible_ms = row["max_gap_ms"], row["max_visible_gap_ms"]
    right = served(row) == GOOD and gap_ms < 500 and visible_ms >= 1000
    return Seen(f"{served(row)}; gap {gap_ms:.0f} ms, of visible text {visible_ms:.0f} ms", right)


@case(PART, "`reasoning`", "reasoning text is progress")
def reasoning() -> Seen:
    """Look for a first token: the first chunk of reasoning."""
    with TemporaryDirectory() as folder:
        row = loaded(Path(folder), "reasoning", STREAM)
    return Seen(f"{served(row)}; the first token {'came' if row['first_byte_ns'] else 'never came'}", served(row) == GOOD)


@case(PART, "prompts with U+2028 in a text", "read")
def line_separator() -> Seen:
    """Ask a server that says again what it was asked: only newlines end a line of the file."""
    text = "one\u2028two\u0085three"
    with TemporaryDirectory() as folder:
        seen = served(loaded(Path(folder), "echo", PLAIN, [{"prompt": text, "completion": text, "finish_reason": "stop"}]))
    return Seen(seen, seen == "whole, right")


@case(PART, "a prompts file in latin-1", "one sentence")
def latin1() -> Seen:
    """Start the load, which must say where the file is no UTF-8, and send nothing."""
    with TemporaryDirectory() as name:
        file = Path(name) / "latin-1.jsonl"
        file.write_bytes('{"prompt": "fine"}\n{"prompt": "déjà"}\n'.encode("latin-1"))
        write_load_plan(Path(name), "http://127.0.0.1:9", prompts=str(file))
        code, _, errors = finish(start_load(Path(name)))
    said = errors.strip().replace(f"{file.parent}/", "")
    right = code == 2 and said.count("\n") == 0 and "latin-1.jsonl:2: not UTF-8, byte 14 of the line is 0xe9" in said
    return Seen(said, right)


KNOWN = [{"prompt": "What is Paris?", "completion": " Paris is the capital"}]


def compared(given: str, right: str, *results: tuple[str, str, int, str]) -> None:
    """Register answers to a prompt whose completion is known: (behaviour, kind, tokens asked for, what is measured if right)."""

    @case(PART, given, right)
    def run() -> Seen:
        seen = []
        for behaviour, kind, tokens, _ in results:
            with TemporaryDirectory() as folder:
                seen.append(served(loaded(Path(folder), behaviour, kind, KNOWN, tokens)))
        return Seen("; ".join(seen), seen == [wanted for *_, wanted in results])


compared(
    'completion " Paris is the capital", the server says " Paris"," is",…, max_tokens 2',
    "valid",
    ("right", STREAM, 2, "whole, right"),
    ("right", PLAIN, 2, "whole, right"),
)
compared(
    "same, the server says something else; half of what it counts; stops after 2 of 4",
    "wrong each time",
    ("other", PLAIN, 4, "ok, wrong: WrongAnswer: not the expected completion"),
    ("lossy", PLAIN, 8, "ok, wrong: WrongAnswer: shorter than its own count of tokens says"),
    ("eos_stop", STREAM, 4, "ok, wrong: WrongAnswer: it ended before the expected completion does"),
)


@case(PART, "100 answers of `abort_done` after the fault", "bad: in rto and availability; not acknowledged, hence not lost")
def aborted_after_the_fault() -> Seen:
    """Put what the load recorded of such an answer into a run, at 100 places that were good."""
    with TemporaryDirectory() as folder:
        row = loaded(Path(folder), "abort_done", PLAIN)
    whole = build(HIT).run
    hit = asked(5, 6) & (pl.col("outcome") == "ok")
    run = change_rows(whole, hit, **{name: row[name] for name in ("outcome", "complete", "valid", "status", "error")})
    before, after = ({m.name: m.value or 0.0 for m in judge(one).measurements} for one in (whole, run))
    bad = whole.requests.filter(hit).height
    more = {name: after[name] - before[name] for name in ("requests_bad", "answers_truncated", "requests_lost", "rto")}
    text = (
        f"of {bad}: {more['requests_bad']:.0f} more bad, {more['requests_lost']:.0f} lost, RTO {before['rto']:.2f} s → {after['rto']:.2f} s"
    )
    right = more["requests_bad"] == more["answers_truncated"] == bad and not more["requests_lost"] and after["rto"] > 5.9
    return Seen(text, right and after["availability"] < before["availability"])
