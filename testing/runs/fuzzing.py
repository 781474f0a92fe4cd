"""Experiment and target files mutated from the valid ones, and how far each gets: refused in a sentence, or a plan.

A case is a seed: it picks a shipped experiment and target, and mutates one of them, as a tree (keys dropped, doubled, renamed; values
replaced, nested, emptied) or as text (cut, indented, characters changed, a line written twice, another encoding). The platform behind is
the in-memory one, so that selectors resolve and the blast radius has something to look at; nothing that an invalid file says can reach it
but reads.
"""

from __future__ import annotations

import contextlib
import copy
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import yaml

from history.errors import AftershockError
from history.plan import Plan
from kube.client import Platform
from kube.platform_timers import PlatformTimers
from runner.drivers.choice import drivers_of, read_target
from runner.experiment.experiment import Experiment, read_experiment
from runner.experiment.steady_state import for_target
from runner.preflight import checks
from runner.preflight.planning import Resolved, make_plan
from runner.request import Request
from runner.stop import Stop
from safety import active_run, blast_radius
from target.target import Target
from testing.platform.fake_cluster import ROOT, FakeCluster
from testing.platform.targets import without_alerts

EXPERIMENTS = sorted(
    path
    for path in (ROOT / "experiments").rglob("*.yaml")
    if path.parent.name in {"serving", "control"} and not path.stem.startswith("weights-")  # of those the stores are hit, too
)
TWINS = ROOT / "testing" / "platform" / "schema1"
FULL = ROOT / "testing" / "platform" / "full.yaml"  # says what no shipped file needs
LOCAL, STAGING = ((ROOT / "targets" / f"{name}.yaml", TWINS / f"{name}.yaml") for name in ("local", "staging.example"))
"""Each in schema 2 and in schema 1."""
TIMERS = PlatformTimers(50.0, 20.0, start_s=2.0, load_s=12.0)
MILD: tuple[Any, ...] = (0, 1, 2, 15, 0.5, 0.99, True, "30s", "2m", "a text", "99%", [], {}, None)
HARSH: tuple[Any, ...] = (
    -1, 1e308, float("nan"), float("inf"), 10**400, "", "\0", "💥" * 50, "${nothing}", "${", "{node}", "*", "app!=x", "../../etc/passwd",
    "os.system", "kube-system", [[]], [{}], {"a": {"b": {}}}, "x" * 10_000, "<script>alert(1)</script>", "!!python/object:os.system",
    "9" * 400, "1e999s",
)  # fmt: skip
NAMES = (
    "module",
    "func",
    "arguments",
    "role",
    "for_s",
    "count",
    "tolerance",
    "provider",
    "name",
    "namespaces",
    "selector",
    "unknown",
    "schema",
    "regions",
    "context",
    "prometheus",
    "kind",
    "controller",
    "health",
    "env",
    "engine",
    "training",
    "job",
)
TEXT = (*" \t:-[]{}#&*!|>'\"%@`,?\n0aé\x00\x85", "[" * 3000, "{a: " * 200, "2026-02-31", "&a [*a]", "!!bool x", "!!timestamp x", "<<: ")
ENCODINGS = (*["utf-8"] * 8, "latin-1", "utf-16", "utf-16-le", "utf-8-sig")


@dataclass(frozen=True, slots=True)
class Outcome:
    """How far one case got. ``kind``: planned, refused, or traceback (``said`` holds what was said or raised)."""

    kind: str
    said: str = ""


def mutate(rng: Random, raw: Any) -> Any:
    """Return a copy of a parsed file with one to three changes."""
    made = copy.deepcopy(raw)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        places = list(_places(made))
        if places:
            _change(rng, *rng.choice(places))
    return made


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every (container, key) of a tree."""
    keys = list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    for key in keys:
        yield value, key
        yield from _places(value[key])


def _change(rng: Random, holder: Any, key: Any) -> None:
    match rng.choice(("near", "near", "near", "near", "text", "text", "text", "mild", "harsh", "drop", "double", "rename", "add")):
        case "near":
            holder[key] = near(rng, holder[key])
        case "text":
            holder[key] = f"{holder[key]}{rng.choice(('', ' ', 'x', '.'))}" if isinstance(holder[key], str) else holder[key]
        case "mild":
            holder[key] = copy.deepcopy(rng.choice(MILD))
        case "harsh":
            holder[key] = copy.deepcopy(rng.choice(HARSH))
        case "drop":
            del holder[key]
        case "double":
            holder[key] = [copy.deepcopy(holder[key]), holder[key]]
        case "rename" if isinstance(holder, dict):
            holder[rng.choice(NAMES)] = holder.pop(key)
        case _ if isinstance(holder, dict):
            holder[rng.choice(NAMES)] = copy.deepcopy(rng.choice(MILD))
        case _:
            holder.append(copy.deepcopy(holder[key]))


def near(rng: Random, value: Any) -> Any:
    """Return a value of the same kind, as a person might have written it."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return rng.choice((value + 1, value * 2, max(value - 1, 0), value / 2, float(value)))
    if isinstance(value, str):
        return rng.choice((value, value.upper(), value.replace("-", "_"), value[:-1], f"{value} of another kind", value.replace("0", "5")))
    return value


def mangle(rng: Random, text: str) -> bytes:
    """Return a file's text after one to three accidents (cut off, a line twice, something in between), sometimes in another encoding."""
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(text)) if text else 0
        line = text[text.rfind("\n", 0, at) + 1 :].partition("\n")[0]
        text = rng.choice(
            (
                text[:at],
                text[:at] + rng.choice(TEXT) + text[at + 1 :],
                text[:at] + rng.choice(TEXT) + text[at:],
                text + text[at:],
                text.replace(line, f"{line}\n{line}", 1) if line else text,
            )
        )
    return text.encode(rng.choice(ENCODINGS), errors="replace")


def case(seed: int, folder: Path) -> Outcome:
    """Write the files of a case below ``folder`` and carry them as far as they get."""
    rng = Random(seed)  # noqa: S311 - repeatable on purpose
    experiment, target = rng.choice(EXPERIMENTS), rng.choice((*LOCAL, FULL) if rng.random() < 0.95 else STAGING)
    of_experiment, as_text = rng.random() < 0.6, rng.random() < 0.15
    # alerts name roles and classes: with them, too many cases end at the first change elsewhere, and too few get as far as a plan
    texts = {"experiment": experiment.read_text(), "target": without_alerts(target.read_text())}
    chosen = "experiment" if of_experiment else "target"
    raw = {name: text.encode() for name, text in texts.items()}
    raw[chosen] = mangle(rng, texts[chosen]) if as_text else _dumped(mutate(rng, yaml.safe_load(texts[chosen])))
    files = {name: folder / f"{name}.yaml" for name in texts}
    for name, file in files.items():
        file.write_bytes(raw[name])
    return outcome(files["experiment"], files["target"], seed)


def _dumped(tree: Any) -> bytes:
    made: bytes = yaml.safe_dump(tree, allow_unicode=True, sort_keys=False).encode(errors="surrogatepass")
    return made


def outcome(experiment: Path, target: Path, seed: int) -> Outcome:
    """Return how far two files get. Nothing but AftershockError is a refusal."""
    cluster = FakeCluster()
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            plan_of(experiment, target, cluster, seed)
    except AftershockError as error:
        return Outcome("refused", str(error)) if str(error).strip() else Outcome("traceback", f"{type(error).__name__} without a sentence")
    except Exception as error:  # noqa: BLE001 - what this is looking for
        return Outcome("traceback", f"{type(error).__name__}: {error}")
    return Outcome("planned") if not cluster.calls and active_run.current() is None else Outcome("traceback", f"it touched {cluster.calls}")


def plan_of(experiment_file: Path, target_file: Path, cluster: FakeCluster, seed: int) -> Plan:
    """Do what preflight does with two files, in its order, up to the plan."""
    target: Target = read_target(target_file)
    experiment: Experiment = for_target(read_experiment(experiment_file, experiment_file.parent), target)
    for namespace in target.only_region().namespaces:
        key, _, value = target.consent_label.partition("=")
        cluster.namespaces[namespace] = {key: value}
    platform: Platform = cluster.platform(target)
    faults = checks.faults_of(experiment, platform)
    checks.permissions_of(faults, platform)
    targets = checks.resolve(faults, platform, seed)
    for found in targets.values():
        blast_radius.check(platform, found, experiment.settings.allow)
    request = Request(
        run_id="fuzz", run_dir=experiment_file.parent, experiment=experiment_file, experiments_root=experiment_file.parent,
        target=target_file, seed=seed, profile="smoke",
    )  # fmt: skip
    drivers = drivers_of(platform, experiment, request, Stop())
    plan = make_plan(
        request, experiment, target, Resolved(targets, dict.fromkeys(target.roles, 3), dict.fromkeys(target.workloads, TIMERS)), drivers
    )
    plan.model_dump_json()  # as it is written before a run
    return plan
