"""The suite runs on the packages of its own lock: whatever else is installed, it imports none of it."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from testing.platform.fake_cluster import ROOT

PACKAGES = "history verdict nights reports target kube safety faults probes runner cluster workloads.__main__"
LOAD = "workloads.load"  # in a process of its own: importing it patches the process
# Imports every module named or found, while packages that no lock of the suite names cannot be imported.
IMPORT_ALL = """
import importlib, importlib.metadata, importlib.util, pkgutil, re, sys

named, packages = sys.argv[1].split(), sys.argv[2].split()
normal = lambda name: re.sub(r"[-_.]+", "-", name).lower()
provided = importlib.metadata.packages_distributions()
absent = {top for top, by in provided.items() if not {normal(one) for one in by} & set(named)}

class Absent:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in absent:
            raise ModuleNotFoundError(f"{name} is not in the suite's lock", name=name)

sys.meta_path.insert(0, Absent)
for name in packages:
    module = importlib.import_module(name)
    for found in pkgutil.walk_packages(getattr(module, "__path__", []), f"{name}."):
        if found.name != "cluster.__main__":  # it runs as it is imported; all that it imports is among the others
            importlib.import_module(found.name)
"""


def locked(name: str) -> dict[str, set[str]]:
    """Return the packages of a lock with their versions: several, where Python's own version decides."""
    found: dict[str, set[str]] = {}
    for package, version in re.findall(r"^([a-z0-9.-]+)==(\S+)", (ROOT / "locks" / f"{name}.txt").read_text(), re.MULTILINE):
        found.setdefault(package, set()).add(version)
    return found


@pytest.mark.parametrize("packages", [PACKAGES, LOAD])
def test_every_module_of_the_suite_imports_without_what_its_lock_does_not_name(packages: str) -> None:
    command = [sys.executable, "-c", IMPORT_ALL, " ".join(locked("suite")), packages]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def test_a_package_outside_its_lock_cannot_be_imported_there() -> None:
    command = [sys.executable, "-c", IMPORT_ALL, "pip", "json.tool hypothesis"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert "hypothesis is not in the suite's lock" in done.stderr


@pytest.mark.parametrize("name", ["torch", "mlflow", "nvidia", "triton", "redis"])
def test_the_suites_lock_names_nothing_of_the_platform(name: str) -> None:
    assert not [package for package in locked("suite") if package.startswith(name)]
    assert [package for package in locked("platform") if package.startswith(name)]


@pytest.mark.parametrize("name", ["suite", "platform"])
def test_the_environment_of_checks_and_tests_has_the_same_versions(name: str) -> None:
    dev = locked("dev")
    assert {package: dev.get(package) for package in locked(name)} == locked(name)
