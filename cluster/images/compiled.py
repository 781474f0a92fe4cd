"""Modules compiled once, when an image is built: its containers run with a read-only root."""

import compileall
import py_compile
from pathlib import Path

from cluster.machines.image_files import PROJECT


def compile_all(root: Path, folder: Path) -> None:
    """Compile what is below ``folder`` of an image's ``root``, good for a file's content, not for its time: a layer has one time for all.

    What no compiler takes (templates, modules for other versions) stays as it is.
    """
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    compileall.compile_dir(folder, maxlevels=50, quiet=2, invalidation_mode=mode, stripdir=str(root), prependdir="/")


def project(root: Path) -> Path:
    """Return where the project lies below an image's ``root``."""
    return root / PROJECT.lstrip("/")
