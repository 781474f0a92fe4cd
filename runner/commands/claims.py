"""``python -m runner claims``: what nights have proven, and which of it a change of manifests or images voids."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from pydantic import ValidationError

from history.errors import ConfigError
from history.values import parse_duration
from kube.client import connect
from nights.claims import Changed, Claim, Claims, made, why_void, why_void_live
from nights.shelf import Shelf
from nights.store.place import open_store
from nights.suite_code import suite_code
from runner.commands.git_changes import changed_between
from runner.drivers.choice import read_target
from runner.preflight.checks import server_version
from runner.preflight.node_parts import node_parts
from runner.preflight.platform_health import look
from runner.preflight.platform_parts import platform_parts
from verdict.words import count

TEXT = "what nights have proven (a lock file), and which claims a change voids; changes nothing in the cluster"
LOCK = Path("claims.lock")


def add_to(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("--lock", type=Path, default=LOCK, metavar="FILE", help="the lock file (default: %(default)s)")
    parser.add_argument("--make", metavar="PLACE", help="write it anew from the nights that are kept there")
    parser.add_argument("--valid", type=parse_duration, default="720h", metavar="TIME", help="how long a claim holds (default: 720h)")
    parser.add_argument("--changed", metavar="GIT_RANGE", help="which claims this change voids: main...HEAD, A..B, or a commit")
    parser.add_argument("--live", type=Path, metavar="TARGET", help="which claims the platform of this target file voids as it is now")
    parser.add_argument("--experiments", type=Path, default=Path("experiments"), metavar="DIR", help="experiments (default: %(default)s)")


def claims(options: argparse.Namespace, say: Callable[[str], None] = print) -> int:
    """Carry out the command; return 1 if a claim is void, or none is on the target that was looked at. Raises AftershockError: refused."""
    if options.make:
        return _make(options, say)
    known = read_lock(options.lock)
    looked_at, why_not = _judge(options)
    ours = [claim for claim in known.claims if looked_at in {"", claim.target}]
    void = [claim for claim in ours if _shown(claim, why_not(claim), say)]
    others = len(known.claims) - len(ours)
    if void:
        say(again(void))
    elif ours:
        of = f"all {len(ours)} claims" if not others else f"{count(len(ours), 'claim')} on target {looked_at}"
        say(f"{of} of {options.lock} hold")
    if others:
        say(f"{count(others, 'claim')} on other targets: not looked at")
    return int(bool(void) or not ours)


def _shown(claim: Claim, reasons: Sequence[str], say: Callable[[str], None]) -> bool:
    say(f"{'void ' if reasons else 'holds'}  {claim.line()}")
    for reason in reasons:
        say(f"       {reason}")
    return bool(reasons)


def again(void: Sequence[Claim]) -> str:
    """Return the commands that prove the claims again, one a target."""
    targets: dict[str, list[str]] = {}
    for claim in void:
        targets.setdefault(claim.target, []).append(claim.experiment.rpartition("/")[2])
    runs = (f"pytest -m chaos --chaos-target=targets/{name}.yaml -k {shlex.quote(' or '.join(stems))}" for name, stems in targets.items())
    return "\n".join(f"run again: {run}" for run in runs)


def read_lock(path: Path) -> Claims:
    """Return the claims of a lock file. Raises ConfigError: there is none, or it is none."""
    make = "write it: python -m runner claims --make NIGHTS"
    try:
        found = Claims.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); {make}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "file"
        raise ConfigError(f"{path}: not a lock file of claims: {where}: {first['msg']}; {make}") from error
    if not found.claims:
        raise ConfigError(f"{path}: holds no claim, so nothing is proven by it; {make}")
    return found


def _make(options: argparse.Namespace, say: Callable[[str], None]) -> int:
    nights = Shelf(open_store(options.make), say).nights()
    if not nights:
        raise ConfigError(f"{options.make}: no night is kept there, {options.lock} stays as it is; name the place of --chaos-nights")
    found = made(nights, timedelta(seconds=options.valid))
    part = options.lock.with_name(f"{options.lock.name}.part")
    part.write_text(found.model_dump_json(indent=1) + "\n", encoding="utf-8")
    part.replace(options.lock)
    for claim in found.claims:
        say(claim.line())
    say(f"written: {options.lock}, {count(len(found.claims), 'claim')}")
    return 0


def _judge(options: argparse.Namespace) -> tuple[str, Callable[[Claim], list[str]]]:
    """Return the target that is looked at (empty: all of them), and what says why a claim is void."""
    today = datetime.now(UTC).date()
    if options.live:
        return _live(options.live, today)
    changed = changed_between(options.changed, options.experiments) if options.changed else Changed()
    code = suite_code()
    return "", lambda claim: why_void(claim, changed, today, code)


def _live(file: Path, today: date) -> tuple[str, Callable[[Claim], list[str]]]:
    target = read_target(file)
    platform = connect(target)
    versions = {"kubernetes server": server_version(platform), **node_parts(look(platform).nodes), **suite_code()}
    parts = platform_parts(platform)
    return target.name, lambda claim: why_void_live(claim, parts, versions, today)
