"""An image's root file system, layer by layer: what changes seldom lies below what changes often."""

import hashlib
import inspect
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from cluster.build import Say
from cluster.errors import ClusterError
from cluster.images import compiled, debian, environment, system
from cluster.images.compiled import compile_all, project
from cluster.machines.image_files import REPOSITORY, Image

ARCHITECTURES = ("amd64", "arm64")
LEFT_OUT = ("workloads/vllm/weights",)
"""What the build context leaves out of what images hold (.dockerignore), besides compiled modules: it is made, not kept."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of an image: what makes it, and the digest of what it is made from (16 hexadecimal digits)."""

    name: str
    digest: str
    make: Callable[[Path, Say], None]


def layers(image: Image, wanted: str) -> list[Layer]:
    """Return the layers of an image for an architecture, lowest first. Raise ClusterError: this Python can't compile modules for it."""
    if sys.version_info[:2] != debian.PYTHON:
        version = ".".join(map(str, debian.PYTHON))
        raise ClusterError(
            f"images hold modules compiled for Python {version}, and this is {sys.version.split()[0]}: use Python {version}."
        )
    of_system = _digest((system, debian), wanted, *system.made_from(image))
    found = [Layer("system", of_system, lambda root, say: system.make(image, wanted, root, say))]
    if image.environment:
        of_lock = _digest((environment,), wanted, image.environment, environment.lock_of(image.environment).read_text())
        found.append(Layer("environment", of_lock, lambda root, say: _environment(image, wanted, root, say)))
    return [*found, Layer("code", _digest((), *_contents(image)), lambda root, _say: _code(image, root))]


def _digest(modules: tuple[ModuleType, ...], *parts: str) -> str:
    """Return the digest of what a layer is made from, and of the modules that make it."""
    text = "\0".join([sys.version.split()[0], *(inspect.getsource(one) for one in (compiled, *modules)), *parts])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _environment(image: Image, wanted: str, root: Path, say: Say) -> None:
    say(f"installing {environment.lock_of(image.environment).relative_to(REPOSITORY)} ({wanted})")
    environment.install(image.environment, project(root) / image.environment, wanted)
    compile_all(root, project(root) / image.environment)


def _code(image: Image, root: Path) -> None:
    _copy(image, project(root))
    compile_all(root, project(root))


def _contents(image: Image) -> list[str]:
    """Return names and digests of the files that an image holds of the repository."""
    with tempfile.TemporaryDirectory() as name:
        _copy(image, Path(name))
        files = sorted(path for path in Path(name).rglob("*") if path.is_file())
        return [f"{path.relative_to(name)} {hashlib.sha256(path.read_bytes()).hexdigest()}" for path in files]


def _copy(image: Image, to: Path) -> None:
    for held in image.holds:
        source, copy = REPOSITORY / held, to / held
        copy.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, copy, ignore=_left_out)
        else:
            shutil.copy(source, copy)


def _left_out(folder: str, names: list[str]) -> list[str]:
    inside = Path(folder).relative_to(REPOSITORY)
    return [name for name in names if name == "__pycache__" or str(inside / name) in LEFT_OUT]
