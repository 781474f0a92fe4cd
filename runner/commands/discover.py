"""``python -m runner discover``: looks at a cluster, changes nothing, and drafts the target file."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import tempfile
from pathlib import Path

from history.errors import ConfigError
from kube.connection.secrets import of_kubeconfig
from runner.discovery.cluster import open_cluster
from runner.discovery.draft.document import Draft, write_draft
from runner.discovery.survey import take
from runner.drivers.choice import read_target
from runner.redact import of_environment
from target.secrets.hiding import redact_text
from target.secrets.known import remember

TEXT = "look at a cluster without changing anything, and draft its target file"


def add_to(command: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    command.add_argument("--context", metavar="NAME", help="a context of the kubeconfig (default: the current one)")
    command.add_argument(
        "--namespace", action="append", default=[], metavar="NAME", help="look into this one, and no others; may be repeated"
    )
    command.add_argument("--output", type=Path, metavar="FILE", help="a file that is not there yet (default: standard output)")


def discover(options: argparse.Namespace) -> int:
    """Draft, write, and read the draft as every other command will. Return 0, or 1 if it cannot be read.

    Raises:
        ConfigError: the file is there already, or cannot be written.
        TargetRefused: the cluster cannot be asked.

    """
    remember([*of_environment(os.environ), *of_kubeconfig(None)])
    if options.output is not None and options.output.exists():
        raise ConfigError(_there_already(options.output))
    draft = write_draft(take(open_cluster(options.context), options.namespace), _as_written(options))
    if options.output is None:
        print(draft.text, end="")
    else:
        _write(options.output, draft.text)
    mistakes = _mistakes(draft.text, options.output)
    print("\n".join(_summary(draft, options.output, mistakes)), file=sys.stderr)
    return int(bool(mistakes))


def _as_written(options: argparse.Namespace) -> str:
    words = ["python", "-m", "runner", "discover"]
    words += ["--context", options.context] if options.context else []
    words += [word for name in options.namespace for word in ("--namespace", name)]
    return shlex.join(words)


def _there_already(path: Path) -> str:
    return f"{path}: it is there already, and may hold somebody's decisions; nothing was written; name another file, or move this one away"


def _write(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise ConfigError(_there_already(path)) from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}; name another file") from error


def _mistakes(text: str, path: Path | None) -> str:
    """Return what the reader of target files says of the draft; empty: nothing."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / (path.name if path else "draft.yaml")
        copy.write_text(text, encoding="utf-8")
        try:
            read_target(copy)
        except ConfigError as error:
            return redact_text(str(error).replace(str(copy), str(path or "draft")))
    return ""


def _summary(draft: Draft, path: Path | None, mistakes: str) -> list[str]:
    found = [f"found: {one}" for one in draft.roles] or ["found: nothing that is known"]
    asked = f"to decide: {draft.decisions}; questions: {draft.questions}; look for DECIDE and QUESTION"
    if mistakes:
        return [*found, asked, "it cannot be read as a target file yet:", mistakes]
    where = path or "FILE"
    after = f"then: python -m runner doctor --target {where}"
    return [*found, asked, *([f"written: {path}, which can be read"] if path else []), after]
