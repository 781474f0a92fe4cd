"""How an image's containers start: what the last stage of its build file (images/NAME.Dockerfile) says.

Reference: https://docs.docker.com/reference/dockerfile/ (ENV, USER, WORKDIR, CMD).
"""

import json
import re
import shlex
from typing import Any

from cluster.errors import ClusterError
from cluster.machines.image_files import REPOSITORY, Image

_KEYS = {"USER": "User", "WORKDIR": "WorkingDir"}


def short_name(image: Image) -> str:
    """Return ``fault`` of ``aftershock/fault:dev``."""
    return image.name.partition("/")[2].partition(":")[0]


def settings(image: Image) -> dict[str, Any]:
    """Return the configuration of an image's containers. Raise ClusterError: its build file says something that is not known here."""
    file = REPOSITORY / "images" / f"{short_name(image)}.Dockerfile"
    found: dict[str, Any] = {}
    for line in _instructions(file.read_text()):
        word, rest = line.split(None, 1)
        match word:
            case "FROM":
                found = {}
            case "ENV":
                found["Env"] = [*found.get("Env", []), *shlex.split(rest)]
            case "CMD":
                found["Cmd"] = json.loads(rest)
            case "USER" | "WORKDIR":
                found[_KEYS[word]] = rest
            case "ARG" | "RUN" | "COPY":
                pass  # what it holds is made by cluster.images.root, there and here
            case _:
                raise ClusterError(f"{file}: {word} is not known here; expected: FROM, ARG, RUN, COPY, ENV, WORKDIR, USER, CMD.")
    return found


def _instructions(text: str) -> list[str]:
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    return [line.strip() for line in re.sub(r"\\\n", " ", lines).splitlines() if line.strip()]
