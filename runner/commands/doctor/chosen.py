"""The experiments that a person chose: what can be known of them from files alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from history.errors import ConfigError
from runner.experiment.absence import why_skipped
from runner.experiment.experiment import Experiment, read_experiment
from runner.experiment.steady_state import for_target
from target.target import Target

ENDINGS = (".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class Chosen:
    """``fit``: experiments as they would run on the target. ``skipped`` and ``wrong``: name or file -> why."""

    fit: list[Experiment] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    wrong: dict[str, str] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """Every experiment that was chosen."""
        return [*(one.id for one in self.fit), *self.skipped, *self.wrong]


def choose(paths: Iterable[Path], shipped: Path, target: Target) -> Chosen:
    """Read the experiments of ``paths``, files or folders; none: those of ``shipped``. Raises ConfigError: a path leads nowhere."""
    chosen = Chosen()
    for file, root in _files(list(paths) or [shipped], shipped):
        try:
            experiment = read_experiment(file, root)
            if why_not := why_skipped(experiment, target):
                chosen.skipped[experiment.id] = why_not
            else:
                chosen.fit.append(for_target(experiment, target))
        except ConfigError as error:
            chosen.wrong[file.relative_to(root).with_suffix("").as_posix()] = str(error)
    return chosen


def to_grant(paths: Iterable[Path], shipped: Path, target: Target, say: Callable[[str], object]) -> list[Experiment]:
    """Return the experiments of ``paths`` that can be run on the target, so need rights there; ``say`` which need none, and why.

    Raises ConfigError: one of them is wrong.
    """
    chosen = choose(paths, shipped, target)
    for name, why_not in chosen.skipped.items():
        say(f"no rights for {name}: {why_not}")
    for mistake in chosen.wrong.values():
        raise ConfigError(mistake)
    return chosen.fit


def _files(paths: Iterable[Path], shipped: Path) -> Iterator[tuple[Path, Path]]:
    """Yield each file with the folder from which its name counts, each once."""
    seen = set()
    for path in map(Path.resolve, paths):
        found = sorted(one for one in path.rglob("*") if one.suffix in ENDINGS) if path.is_dir() else [path]
        if not found or not found[0].is_file():
            raise ConfigError(f"{path}: no experiment there; name files that end in .yaml, or folders with such files")
        root = shipped.resolve() if path.is_relative_to(shipped.resolve()) else path if path.is_dir() else path.parent
        yield from ((file, root) for file in found if file not in seen)
        seen.update(found)
