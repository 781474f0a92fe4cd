"""Reports of sessions that were killed half-way: of what was recorded, marked incomplete."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from history.errors import AftershockError
from runner.session_record import SESSION_SCHEMA, Begun, SessionState, forget, of_dead_sessions, take_up

if TYPE_CHECKING:
    from reports import NotTested

FOLDER = "unfinished"
KILLED = "the session was killed"
Say = Callable[[str], None]


def report_unfinished(out: Path, say: Say, latest: Path | None = None) -> list[Path]:
    """Make the report of each session below ``out`` that was killed, keep its night where it asked for that, and return the pages.

    ``latest``: the record whose report goes where the latest is (any other: a folder of its own below ``out``, since that is the next
    session's). A record goes away once its report is written. One that cannot be read stays. One whose report fails is renamed to
    ``ID.tried``, and not tried again. ``say`` gets the reason.
    """
    made: list[Path] = []
    with of_dead_sessions(out, say) as records:
        for record in records:
            try:
                made.append(_report_once(record, out / "latest" if record == latest else out / FOLDER / record.stem, say))
            except (AftershockError, OSError, ValueError) as error:
                say(f"{record}: the session was killed and its report cannot be made: {error}; its runs are in {out / 'runs'}")
                continue
            say(f"a session was killed half-way; its report, marked incomplete: {made[-1]}")
    return made


def _report_once(record: Path, folder: Path, say: Say) -> Path:
    state = _read(record)
    tried = take_up(record)  # whatever happens now, the next session does not meet it
    page = _report(state, folder, say)
    forget(tried)
    return page


def _read(record: Path) -> SessionState:
    """Return what a record says. Raises ValueError: it is none that this suite reads."""
    try:
        state = SessionState.model_validate_json(record.read_bytes())
    except ValidationError as error:
        raise ValueError(f"it is not the record of a session ({error.error_count()} mistakes); delete it") from error
    if state.schema_version != SESSION_SCHEMA:
        raise ValueError(f"it is of schema {state.schema_version}, this suite reads {SESSION_SCHEMA}; use the suite that wrote it")
    return state


def _report(state: SessionState, folder: Path, say: Say) -> Path:
    from reports import Context, NotTested, build, write  # noqa: PLC0415 - plotting libraries are loaded only when there is something to plot

    begun = [one for one in state.begun if not one.refused]
    shown = [one.path for one in begun if _judged(one)]
    not_tested = not_tested_of(state, KILLED)
    not_tested += [
        NotTested(id=one.id, kind="skipped", asked=True, reason=f"{KILLED} in its preflight; nothing was injected")
        for one in begun
        if one.path not in shown
    ]
    incomplete = state.incomplete(KILLED) or f"This night is incomplete: {KILLED} before its report was written."
    page = write(build(shown, Context(command=state.command, not_tested=tuple(not_tested), incomplete=incomplete)), folder)
    if state.nights and shown:
        _keep(state, shown, say)
    return page


def not_tested_of(state: SessionState, why: str) -> list[NotTested]:
    """Return what a session left out, and what it did not begin because of ``why`` (empty: it did not end early)."""
    from reports import NotTested  # noqa: PLC0415 - likewise

    found = [
        NotTested(id=one.id, title=one.title, kind="refused" if one.refused else "skipped", asked=one.asked, reason=one.reason)
        for one in state.left_out
    ]
    return found + [
        NotTested(id=one.id, title=one.title, kind="skipped", asked=True, reason=f"not run: {why}") for one in state.not_begun if why
    ]


def _judged(run: Begun) -> bool:
    """Tell whether a run can be shown; one whose process was killed is judged by what it left, never better than INCONCLUSIVE."""
    from runner.run.phases.drain_and_judge import judge_what_is_left  # noqa: PLC0415 - likewise

    return (run.path / "verdict.json").exists() or judge_what_is_left(run.path) is not None


def _keep(state: SessionState, shown: list[Path], say: Say) -> None:
    """Keep the runs as a night; where that is out of reach they stay where they are."""
    from nights.shelf import Shelf  # noqa: PLC0415 - likewise
    from nights.store.place import open_store  # noqa: PLC0415 - likewise

    try:
        kept = Shelf(open_store(state.nights, state.root), say).keep(shown)
    except AftershockError as error:
        say(f"the killed session's runs are not kept: {error}")
        return
    say(f"its runs are kept as night {kept.night} in {state.nights}")
