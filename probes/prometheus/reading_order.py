"""In which order recording rules are looked at: what a rule reads before the rule itself, in time linear in rules and what they read.

Rules that read one another in a circle are one group: https://en.wikipedia.org/wiki/Kosaraju%27s_algorithm, without recursion.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet

Reads = Mapping[str, AbstractSet[str]]
"""By its name, what each rule reads: names that are keys, too."""


def in_order(reads: Reads) -> Iterator[list[str]]:
    """Yield every name once, in groups: one alone, or those that read one another in a circle. A group comes after all that it reads."""
    readers: dict[str, set[str]] = {name: set() for name in reads}
    for name, read in reads.items():
        for other in read:
            readers[other].add(name)
    seen: set[str] = set()
    finished = [name for start in readers for name in _reached(readers, start, seen)]
    seen = set()
    for start in reversed(finished):
        if group := list(_reached(reads, start, seen)):
            yield group


def _reached(edges: Reads, start: str, seen: set[str]) -> Iterator[str]:
    """Yield what is reached from ``start`` and was not seen, each name after all that was reached by it."""
    if start in seen:
        return
    seen.add(start)
    path = [(start, iter(edges[start]))]
    while path:
        name, rest = path[-1]
        following = next((one for one in rest if one not in seen), None)
        if following is None:
            path.pop()
            yield name
        else:
            seen.add(following)
            path.append((following, iter(edges[following])))
