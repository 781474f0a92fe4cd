"""Which rights the chosen experiments need and this account has not, and how to grant them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from kube.permissions import Permission
from runner.findings import About, Finding, Kind


def of_rights(needed: Mapping[str, list[Permission]], missing: Iterable[Permission], account: str, grant: str) -> Iterator[Finding]:
    """Yield what is granted and what is not.

    Args:
        needed: experiment -> the rights that it needs.
        missing: those of all that are not granted.
        account: how a sentence calls the account.
        grant: the command that grants them.

    """
    lacking = set(missing)
    asked = dict.fromkeys(right for rights in needed.values() for right in rights)
    if not lacking:
        if asked:
            yield Finding(About.RIGHTS, Kind.WORKS, f"{account} has all {len(asked)} rights that the chosen experiments need")
        return
    by_need: dict[tuple[str, ...], list[Permission]] = defaultdict(list)
    for right in asked:
        if right in lacking:
            by_need[tuple(name for name, rights in needed.items() if right in rights)].append(right)
    for who, rights in sorted(by_need.items(), key=lambda one: -len(one[0])):
        whose = "every chosen experiment" if len(who) == len(needed) else names(who)
        yield Finding(About.RIGHTS, Kind.REFUSED, f"{account} may not {in_words(rights)}; needed by {whose}", grant)


def in_words(rights: Iterable[Permission]) -> str:
    """Return rights as a phrase, the verbs of each resource gathered: ``create, delete pods in aftershock; list nodes``."""
    verbs: dict[tuple[str | None, str, str], list[str]] = defaultdict(list)
    for right in rights:
        verbs[right.namespace, right.group, right.resource].append(right.verb)
    return "; ".join(
        f"{', '.join(found)} {resource}{f'.{group}' if group else ''} {f'in {namespace}' if namespace else 'in the whole cluster'}"
        for (namespace, group, resource), found in verbs.items()
    )


def names(ids: Iterable[str]) -> str:
    """Return names of experiments, those of one folder together: ``serving/{node-drained,replica-killed}``, as a shell reads it."""
    folders: dict[str, list[str]] = defaultdict(list)
    for name in ids:
        folder, _, last = name.rpartition("/")
        folders[folder].append(last)
    return ", ".join(_braced(folder, found) for folder, found in folders.items())


def _braced(folder: str, found: list[str]) -> str:
    within = found[0] if len(found) == 1 else f"{{{','.join(found)}}}"
    return f"{folder}/{within}" if folder else ", ".join(found)
