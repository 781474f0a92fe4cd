"""Target files as people save them: each mistake in a sentence with file and line."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from bench.field.cases import Seen, case
from history.errors import ConfigError, TargetRefused
from kube.selection import demand_selector
from target.target import load_target
from testing.platform.fake_cluster import ROOT

PART = "files"
SELECTORS = ("app in (a,b)", "app in (a, b),tier=x", "app  in(a,b)", "tier!=x,app in (a)", "app==a")
NONE = ("app notin (a,b=c)", "!app", "app!=a,tier!=(b)")


def written(folder: Path, text: str, more: bytes = b"") -> str:
    """Return what is said of the local target file with ``text`` at its end, empty if it is taken."""
    file = folder / "target.yaml"
    file.write_bytes((ROOT / "targets/local.yaml").read_bytes() + text.encode() + more)
    try:
        load_target(file)
    except ConfigError as error:
        return str(error).replace(f"{folder}/", "")
    return ""


def refused(given: str, right: str, text: str, words: str, more: bytes = b"") -> None:
    """Register a target file that is refused with ``words``."""

    @case(PART, given, right)
    def run() -> Seen:
        with TemporaryDirectory() as name:
            said = written(Path(name), text, more)
        return Seen(said or "taken", words in said and said.startswith("target.yaml:") and "\n" not in said)


refused("`limits` twice", "refused", "limits: {pods: 1}\nlimits: {pods: 9}\n", "found duplicate key 'limits'")
refused("latin-1", "one sentence", "# caf", "not UTF-8, the byte 0xe9", b"\xe9\n")
refused("`rto: 060`, which YAML reads as 48", "refused", "since: 060\n", "is read to the base of 8")
refused("`window_s: yes`", "refused", "stop_when: [{promql: up, above: 1, window_s: yes}]\n", "YAML reads yes, no, on and off")
refused("a blackout until `24:00`", "refused, not 00:24", "blackouts: [{why: x, start: '20:00', end: 24:00}]\n", "blackouts.0.end: ")
refused("`above: .inf`", "refused", "stop_when: [{promql: up, above: .inf}]\n", "finite number")
refused("a date `2026-13-45`", "one sentence", "since: 2026-13-45\n", "there is no such date")


@case(PART, f"selectors {', '.join(f'`{one}`' for one in SELECTORS)}", "accepted; such as only exclude are not")
def selectors() -> Seen:
    """Ask for each what a fault's targets are chosen by."""
    said = {one: _refusal(one) for one in (*SELECTORS, *NONE)}
    with TemporaryDirectory() as name:
        text = (ROOT / "targets/local.yaml").read_text().replace("selector: app=inference", "selector: app in (a,b)")
        file = Path(name) / "target.yaml"
        file.write_text(text)
        chosen = load_target(file).roles["inference"].selector
    wrong = [one for one in SELECTORS if said[one]] + [one for one in NONE if not said[one]]
    return Seen(f"role's selector: {chosen}; judged otherwise: {', '.join(wrong) or 'none'}", not wrong and chosen == "app in (a,b)")


def _refusal(selector: str) -> str:
    try:
        demand_selector(selector, "role")
    except TargetRefused as error:
        return str(error)
    return ""
