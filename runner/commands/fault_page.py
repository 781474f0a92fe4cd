"""``docs/faults.md``: every fault and every probe, from what they say of themselves: registration, signature, docstring."""

from __future__ import annotations

import importlib
import inspect
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace

import faults
import probes
from runner.commands.permission_page import in_words
from runner.commands.rbac import offline
from runner.experiment.catalogue import all_faults, all_probes, function_named
from runner.experiment.experiment import Experiment
from safety.fault_spec import FaultSpec
from safety.undo_journal import UndoKind
from target.target import Target

HEADER = """# Faults and probes

This page is what `python -m runner catalogue` writes, from what each function says of itself; a test keeps it current. In an experiment, a
fault is an action of the method, and a probe belongs to the hypothesis or to the evidence. Permissions are those on `targets/local.yaml`.

| fault | tier | what ends it | undo |
|---|---|---|---|"""
UNDONE = {
    UndoKind.UNCORDON: "nodes are made schedulable again",
    UndoKind.POWER_ON: "machines are powered on",
    UndoKind.START_CONTROL_PLANE: "the control plane's parts are started again",
    UndoKind.REPAIR_GPU: "devices are repaired",
    UndoKind.DELETE_POD: "its fault pods are removed",
    UndoKind.DELETE_CHAOS: "its chaos objects are deleted",
    UndoKind.RESTORE_DATA: "a program beside the server restores what was damaged, to the byte",
    UndoKind.REPLACE_POD: "the pod is evicted, since its ephemeral container cannot be removed",
    UndoKind.RESCALE: "the former number of replicas is set again, unless somebody else has set another",
    UndoKind.DELETE_WEBHOOK: "its webhook's configuration is deleted",
    UndoKind.DELETE_QUOTA: "its quota is deleted, and the Job that would have ended it",
    UndoKind.END_LOAD: "its load generator is ended",
    UndoKind.NOTHING: "nothing; what ends it is enough",
}
UNITS = {"percent": "%", "mebibytes": "MiB", "_ms": "ms", "_s": "s", "_gb": "10⁹ bytes"}  # by how a name ends
TYPES = {"str": "text", "int": "whole number", "float": "number", "bool": "yes or no"}
SECTION = re.compile(r"\n+(Args|Raises):\n.*", re.DOTALL)
ARGUMENT = re.compile(r"^ {4}(\w+): (.+(?:\n {8}.+)*)", re.MULTILINE)
ROLE = re.compile(r":\w+:`~?([^`]+)`")
ERRORS = re.compile(r"\s*(Raises (?:`[^`]+`|[^.`])+\.|\(same errors\))")


def page(experiments: list[Experiment], target: Target) -> str:
    """Return the page in Markdown."""
    uses, fits = users_of(experiments), evidence_in(experiments)
    found = {name: replace(spec, evidence=tuple(dict.fromkeys([*spec.evidence, *fits[name]]))) for name, spec in all_faults().items()}
    rows = [f"| {_link(name)} | {spec.tier} | {ends(spec)} | {undone(spec)} |" for name, spec in found.items()]
    sections = [_fault(name, spec, uses.get(name, []), target) for name, spec in found.items()]
    proves = {probe: [name for name, spec in found.items() if probe in spec.evidence] for probe in all_probes()}
    looks = [_probe(name, function, proves[name], uses.get(name, [])) for name, function in all_probes().items()]
    parts = ["\n".join([HEADER, *rows]), *_by_module(faults.__doc__, "Faults", found, sections)]
    return "\n\n".join([*parts, *_by_module(probes.__doc__, "Probes", all_probes(), looks)]) + "\n"


def users_of(experiments: Iterable[Experiment]) -> dict[str, list[str]]:
    """Return by function the experiments that call it as a fault or as evidence."""
    found: dict[str, list[str]] = {}
    for experiment in experiments:
        providers = [one.provider for one in experiment.document.method] + [one.provider for one in experiment.settings.evidence]
        for name in dict.fromkeys(one.name for one in providers):
            found.setdefault(name, []).append(experiment.id)
    return found


def evidence_in(experiments: Iterable[Experiment]) -> defaultdict[str, list[str]]:
    """Return by fault the probes that experiments take as its evidence."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for experiment in experiments:
        faults_by_action = {action.name: action.provider.name for action in experiment.document.method}
        for probe in experiment.settings.evidence:
            found[faults_by_action.get(str(probe.provider.arguments.get("activity")), "")].append(probe.provider.name)
    return found


def ends(spec: FaultSpec) -> str:
    """Return what ends a fault, with its arguments by name."""
    return re.sub(r"\{(\w+)(:[^}]*)?\}", r"`\1`", spec.ends)


def undone(spec: FaultSpec) -> str:
    """Return in words how the journal's entries of a fault are undone; a kind without words stands for itself."""
    return "; ".join(UNDONE.get(kind, kind.value) for kind in spec.undo)


def killed(spec: FaultSpec) -> str:
    """Return where the kill campaign tries a fault, or why it does not."""
    return f"left out, {spec.killed.left_out}" if spec.killed.left_out else f"tried on {spec.killed.on}"


def prose(documented: object) -> str:
    """Return a docstring as Markdown, without what concerns callers in Python: arguments and errors."""
    text = SECTION.sub("", inspect.getdoc(documented) or "")
    return ERRORS.sub("", ROLE.sub(r"`\1`", text.replace("``", "`"))).strip()


def arguments(function: Callable[..., object]) -> list[str]:
    """Return a line for each argument: unit or type, default, and what the docstring says of it."""
    said = {name: " ".join(text.split()) for name, text in ARGUMENT.findall(inspect.getdoc(function) or "")}
    return [_argument(one, said.get(one.name, "")) for one in inspect.signature(function).parameters.values()]


def _argument(parameter: inspect.Parameter, said: str) -> str:
    plain = TYPES.get(str(parameter.annotation).removesuffix(" | None"), str(parameter.annotation))
    words = [next((unit for end, unit in UNITS.items() if parameter.name.endswith(end)), plain)]
    if parameter.default is not inspect.Parameter.empty and parameter.default is not None:
        words.append(f"default `{parameter.default}`" if parameter.default != "" else "empty if it is not given")
    elif parameter.default is None:
        words.append("need not be given")
    return f"  - `{parameter.name}`: {', '.join(words)}{'; ' if said else ''}{said.replace('``', '`')}"


def _by_module(about: str | None, title: str, names: Iterable[str], sections: list[str]) -> list[str]:
    """Return the sections of one package, those of a module below what the module says of itself."""
    parts, last = [f"## {title}", (about or "").splitlines()[0]], ""
    for name, section in zip(names, sections, strict=True):
        module = name.rpartition(".")[0]
        if module != last:
            parts += [f"### `{module}`", prose(importlib.import_module(module))]
        parts.append(section)
        last = module
    return parts


def _fault(name: str, spec: FaultSpec, users: list[str], target: Target) -> str:
    function = function_named(name)
    needed = in_words(spec.permissions(offline(target), {"role": next(iter(target.roles))}), target)
    lines = ["- arguments:", *arguments(function), f"- tier: {spec.tier}; needs: {needed}"]
    lines += [f"- ends: {ends(spec)}", f"- undo: {undone(spec)}", f"- evidence: {_names(spec.evidence)}"]
    lines += ["- graceful: it may hurt no request under way"] if spec.graceful else []
    lines += [f"- fidelity: {spec.fidelity}"] if spec.fidelity else []
    lines += [f"- where the region has Chaos Mesh: {spec.chaos_mesh}; its object is deleted"] if spec.chaos_mesh else []
    lines.append(f"- kill campaign: {killed(spec)}")
    return "\n".join([f"#### `{name}`", "", prose(function), "", *lines, f"- experiments: {_names(users)}"])


def _probe(name: str, function: Callable[..., object], proves: list[str], users: list[str]) -> str:
    asked = arguments(function)
    lines = ["- arguments:" if asked else "- arguments: none", *asked]
    lines += [f"- evidence of: {', '.join(map(_link, proves))}"] if proves else []
    lines += [f"- as evidence in: {_names(users)}"] if users else []
    return "\n".join([f"#### `{name}`", "", prose(function), "", *lines])


def _link(name: str) -> str:
    return f"[`{name}`](#{name.replace('.', '')})"


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "–"
