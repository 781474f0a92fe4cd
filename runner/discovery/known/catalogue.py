"""The one table of what is known; every module of this folder adds to it."""

from __future__ import annotations

import importlib
import pkgutil

import runner.discovery.known
from runner.discovery.signs import Catalogue

CATALOGUE = Catalogue()


def catalogue() -> Catalogue:
    """Return everything that modules of this folder know."""
    for module in pkgutil.iter_modules(runner.discovery.known.__path__):
        importlib.import_module(f"{runner.discovery.known.__name__}.{module.name}")
    return CATALOGUE
