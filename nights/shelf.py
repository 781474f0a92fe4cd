"""The shelf: nights in a store. Runs are the truth; records and the index are made anew from them where they do not fit.

``runs/NIGHT/RUN/…`` are the run folders as they were; ``records/NIGHT.json`` is the night's record, first written to say that the night is
being kept, and last to say that it is there whole; ``index.parquet`` holds all records.
"""

from __future__ import annotations

import re
import secrets
import shlex
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

from pydantic import TypeAdapter, ValidationError

from history.errors import HistoryError, NightsError
from history.reader import read_plan
from nights import index
from nights.of_run import record_of
from nights.of_session import began_ns, in_order, named_by, night_of, ordered
from nights.record import NIGHT_SCHEMA, Night, RunRecord, Unread
from nights.store.store import Store
from verdict.words import listed

INDEX, RECORDS, RUNS, TRIALS = "index.parquet", "records", "runs", "trials"
NAME = re.compile(r"\d{8}-\d{6}-[0-9a-f]{6}")
NAMED = slice(-6, None)
"""The part of a night's name that says which runs it is made of."""
KEPT = re.compile(r"(plan\.json|verdict\.json|events\.(.*\.)?(parquet|jsonl))$")
"""What stays of a run whose night is no longer kept whole: it can still be compared, counted and listed, and not be judged again."""
_NIGHT: TypeAdapter[Night] = TypeAdapter(Night)
Say = Callable[[str], None]


class Shelf:
    """The nights of one store. ``say`` gets a sentence on whatever was not as it should be."""

    def __init__(self, store: Store, say: Say) -> None:
        self._store, self._say = store, say

    @property
    def place(self) -> str:
        """Return where it is."""
        return self._store.place

    def nights(self) -> list[Night]:
        """Return all nights, oldest first, by the index where it fits the records, and write it anew where it does not.

        Raises:
            NightsError: the store is out of reach.

        """
        names, known = self._recorded(), self._index()
        fresh = {name: night for name, night in known.items() if name in names and night.whole}
        missing = sorted(names - set(fresh))
        fresh |= {name: self._record(name) for name in missing}
        if missing or set(known) != names:
            self._store.write(INDEX, index.written(ordered(fresh.values())))
        return ordered(fresh.values())

    def keep(self, run_dirs: Sequence[Path]) -> Night:
        """Keep the runs as one night, whole, and return it; the same runs again are the same night.

        A run that another night has already is left out, and that is said; if none is left, the night that has them is returned.

        Raises:
            NightsError: the store is out of reach or full; the runs stay where they are, and what was kept before is untouched.

        """
        night = night_of(run_dirs)
        try:
            return self._keep(night, run_dirs)
        except NightsError as error:
            lost = "nothing of this session is lost, its runs stay where they are"
            runs = " ".join(shlex.quote(str(folder)) for folder in run_dirs)
            raise NightsError(f"{error}; {lost}; then: python -m nights keep {runs} --nights {shlex.quote(self.place)}") from error

    def check(self, *, writable: bool) -> None:
        """Ask of the store what a session will ask of it. Raises NightsError: it is out of reach, or (``writable``) takes nothing."""
        self._store.names(RECORDS)
        self._store.read(INDEX)
        if writable:
            name = f"{TRIALS}/{secrets.token_hex(8)}"
            self._store.write(name, b"")
            self._store.delete(name)

    def _keep(self, night: Night, run_dirs: Sequence[Path]) -> Night:
        kept = self._read_record(night.night)
        if kept is not None and kept.whole:
            return kept
        others = [one for one in self.nights() if one.night != night.night]
        holders = {run.run_id: one for one in others if one.whole for run in one.runs}
        held = {run: holders[run] for run in (_run_id(folder) for folder in run_dirs) if run in holders}
        if held:
            left = [folder for folder in run_dirs if _run_id(folder) not in held]
            self._say(f"kept already: {listed(f'{run} in night {one.night}' for run, one in held.items())}; each run is kept once")
            return self._keep(night_of(left), left) if left else list(held.values())[-1]
        self._write(replace(night, whole=False))
        for folder in dict.fromkeys(run_dirs):
            for file in sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()):
                self._store.write(f"{RUNS}/{night.night}/{_safe(folder.name)}/{file.relative_to(folder).as_posix()}", file.read_bytes())
        self._write(night)
        for half in (one for one in others if not one.whole):
            self._hand_over(half, run_dirs)
        return night

    def _hand_over(self, half: Night, run_dirs: Sequence[Path]) -> None:
        """Take what a night that was not kept to its end has of runs that another night has whole now; with its last run it goes."""
        for folder in run_dirs:
            for piece in self._store.names(f"{RUNS}/{half.night}/{_safe(folder.name)}"):
                self._store.delete(piece)
        if not self._store.names(f"{RUNS}/{half.night}"):
            self._delete(half)

    def rebuild(self) -> list[Night]:
        """Make records and index anew from the runs, whatever they say now but for whether a night was kept to its end.

        Where no record says that, it is so if all runs by which the night is named are there, each with its verdict.

        Raises:
            NightsError: the store is out of reach.

        """
        found = self._recorded() | {name for run in self._store.names(RUNS) if NAME.fullmatch(name := run.split("/")[1])}
        nights = [self._anew(name) for name in sorted(found)]
        for night in nights:
            self._write(night)
        self._store.write(INDEX, index.written(ordered(nights)))
        return ordered(nights)

    def expire(self, nights: Sequence[Night], whole: int, most: int) -> list[Night]:
        """Keep the last ``whole`` nights of each target whole, of older ones what is compared, ``most`` in all; return those."""
        left: list[Night] = []
        age: dict[str, int] = {}
        for night in reversed(nights):
            target = night.runs[0].conditions.target if night.runs else ""
            age[target] = age.get(target, 0) + 1
            if age[target] > most:
                self._delete(night)
                continue
            left.append(self._trim(night) if age[target] > whole and night.kept_whole and night.whole else night)
        if left != list(reversed(nights)):
            self._store.write(INDEX, index.written(ordered(left)))
        return ordered(left)

    def _recorded(self) -> set[str]:
        """Return the names of the nights that have a record, whatever it says."""
        pieces = (record.partition("/")[2].removesuffix(".json") for record in self._store.names(RECORDS))
        return {name for name in pieces if NAME.fullmatch(name)}

    def _index(self) -> dict[str, Night]:
        content = self._store.read(INDEX)
        if content is None:
            return {}
        try:
            return index.read(content)
        except index.IndexTorn as error:
            self._say(f"nights in {self.place}: the index is torn ({error}); it is made anew from the nights, none of which is lost")
            return {}

    def _record(self, name: str) -> Night:
        """Return the record of a night; of one that was not kept to its end, or whose record is none, what its runs say."""
        found = self._read_record(name)
        return found if found is not None and found.whole else self._from_runs(name, found)

    def _anew(self, name: str) -> Night:
        """Return a night by its runs alone, but for whether it was kept to its end."""
        return self._from_runs(name, self._read_record(name))

    def _read_record(self, name: str) -> Night | None:
        content = self._store.read(f"{RECORDS}/{name}.json")
        if content is None:
            return None
        try:
            found = _NIGHT.validate_json(content)
        except ValidationError:
            found = None
        if found is None or found.schema != NIGHT_SCHEMA or found.night != name:
            self._say(f"night {name} in {self.place}: its record is not one of schema {NIGHT_SCHEMA}; its runs are read instead")
            return None
        return found

    def _from_runs(self, name: str, record: Night | None) -> Night:
        pieces = [piece for piece in self._store.names(f"{RUNS}/{name}") if piece.count("/") > 2]
        kept_whole = any(not KEPT.search(piece) for piece in pieces)
        runs: list[RunRecord] = []
        unread: list[Unread] = []
        with tempfile.TemporaryDirectory(prefix="aftershock-nights-") as scratch:
            for run in dict.fromkeys(piece.split("/")[2] for piece in pieces):
                try:
                    runs.append(record_of(self._copy(Path(scratch), name, run, pieces), name))
                except HistoryError as error:
                    unread.append(Unread(run, str(error).replace(scratch, f"{self.place}/{RUNS}/{name}")))
        whole = record.whole if record is not None else named_by(runs) == name[NAMED] and all(run.complete for run in runs)
        if not whole:
            self._say(f"night {name} in {self.place} was not kept to its end; its runs that are there are read")
        return Night(name, began_ns(name), in_order(runs), tuple(unread), whole, kept_whole)

    def _copy(self, scratch: Path, night: str, run: str, pieces: Sequence[str]) -> Path:
        """Copy what a record is made of into ``scratch`` and return that folder."""
        folder, below = scratch / run, f"{RUNS}/{night}/{run}/"
        folder.mkdir()
        for piece in pieces:
            file = piece.removeprefix(below)
            if piece.startswith(below) and "/" not in file and KEPT.fullmatch(file):
                (folder / file).write_bytes(self._store.read(piece) or b"")
        return folder

    def _write(self, night: Night) -> None:
        self._store.write(f"{RECORDS}/{night.night}.json", as_json(night))

    def _trim(self, night: Night) -> Night:
        trimmed = replace(night, kept_whole=False)
        self._write(trimmed)
        for piece in self._store.names(f"{RUNS}/{night.night}"):
            if piece.count("/") != 3 or not KEPT.fullmatch(piece.rpartition("/")[2]):
                self._store.delete(piece)
        return trimmed

    def _delete(self, night: Night) -> None:
        """Take a night away, its record last: what is killed half-way is done again."""
        for piece in (*self._store.names(f"{RUNS}/{night.night}"), f"{RECORDS}/{night.night}.json"):
            self._store.delete(piece)


def as_json(night: Night) -> bytes:
    """Return a night's record as it is kept."""
    return _NIGHT.dump_json(night)


def _run_id(folder: Path) -> str:
    """Return which run is in a folder; empty: that cannot be read, and no other night can be said to have it."""
    try:
        return read_plan(folder).run_id
    except HistoryError:
        return ""


def _safe(name: str) -> str:
    """Return a folder's name as one part of a piece's name, whatever is in it."""
    return quote(name, safe="").replace(".", "%2E") if name.startswith(".") else quote(name, safe="")
