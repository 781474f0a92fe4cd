"""Damage to what a storage server holds: what the journal says of it, and the programs beside the server that do and undo it.

They run in an ephemeral container of the server's pod: nothing of ours runs in the server's own container. An ended one holds nothing. It
stays in the pod's spec until the pod is replaced for another reason: to replace a server for that would be an outage of its own.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Any

from pydantic import ValidationError

from history.errors import AftershockError, NoData, UndoFailed
from history.values import FrozenModel
from kube import ephemeral
from kube.client import Platform, api_errors
from kube.labels import selects
from kube.objects import Pod
from safety.undo_journal import Undo
from target.object_store import ObjectStore, access_of, store_of
from target.role import Role
from target.suite_image import FAULT_PYTHON, PROJECT
from target.target import Target

LIMIT_S = 60.0
PREFIX = "aftershock-storage-"
CHECKPOINTS, TRAINING_DATA = "faults.node_agent.storage.checkpoints", "faults.node_agent.storage.training_data"
FORMER = {"workloads.storage.damage_at_rest": CHECKPOINTS, "workloads.storage.overwrite": TRAINING_DATA}  # in journals of former versions
ENVIRONMENT = {"PYTHONDONTWRITEBYTECODE": "1"}
KEPT = "aftershock-"  # what faults keep on a server's disk is called so, or lies in a folder that is
STORE = re.compile(r"s3://[^?#]+\?endpoint=http://127\.0\.0\.1:\d+(&region=[-.\w]+)?")  # the server itself, of a client beside it
ACCESS_KEY, SECRET_KEY = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"  # what the programs call them


class DataDamage(FrozenModel):
    """The detail of a journal entry of kind RESTORE_DATA."""

    container: str
    what: str  # was damaged
    good: str  # where its good version is
    program: str  # CHECKPOINTS or TRAINING_DATA; run beside the container, it restores. A second time changes nothing
    arguments: tuple[str, ...]
    by_hand: str  # what a person can do, if the program cannot


def container(target: Target, pod: Pod, role: str, program: str, arguments: tuple[str, ...]) -> dict[str, Any]:
    """Return the ephemeral container that runs ``program`` beside the server of a pod of ``role``.

    Raises:
        ConfigError: the role says no container, not where its objects lie, or (for a client) not how its server is reached.
        TargetRefused: as :func:`kube.ephemeral.user_of`.

    """
    found = target.role(role)
    command = [FAULT_PYTHON, "-m", program, *arguments, "--buckets", store_of(found.object_store, role).buckets]
    secrets = secrets_of(found, role) if program == TRAINING_DATA else {}
    run = ephemeral.Program(target.suite.fault_image, command, ENVIRONMENT, secrets, PROJECT)
    return ephemeral.manifest(pod, found.container or "", PREFIX, run)


def secrets_of(found: Role, role: str) -> dict[str, tuple[str, str]]:
    """Return the variables of a client's credentials, each with its Secret and key: only the kubelet reads these. Raises ConfigError."""
    access = access_of(found.object_store, role)
    return {ACCESS_KEY: (access.secret, access.access_key), SECRET_KEY: (access.secret, access.secret_key)}


def damage_of(undo: Undo) -> DataDamage:
    """Return what a journal entry says of damaged data. Raises UndoFailed: it is none that this version of the suite writes."""
    try:
        return DataDamage.model_validate_json(undo.detail)
    except ValidationError as error:
        raise UndoFailed(
            f"pod {undo.namespace}/{undo.object}: the journal's entry of {undo.activity} cannot be read ({error.error_count()} mistakes); "
            "heal with the version of the suite that wrote it"
        ) from error


def restore_data(platform: Platform, undo: Undo) -> dict[str, Any]:
    """Restore what an entry says was damaged; return what its program says: ``said``, a sentence, and more.

    Raises:
        UndoFailed: it is not known to be restored.

    """
    damage = damage_of(undo)
    namespace, name = undo.namespace or "", undo.object
    program = FORMER.get(damage.program, damage.program)
    role = _role_of(platform, namespace, name, damage.container, (program, *damage.arguments))
    if not role:
        raise UndoFailed(
            f"pod {namespace}/{name}: the journal asks for the program {damage.program!r} beside container {damage.container!r}; expected: "
            f"only to undo, {CHECKPOINTS} or {TRAINING_DATA}, for a role of target {platform.target.name} with an object_store; who "
            "wrote this entry, or has the target file changed since? Nothing was run"
        )
    try:
        with api_errors(f"pod {namespace}/{name}: run {program} beside its server", NoData):
            pod = platform.pod(name, namespace)
            added = container(platform.target, pod, role, program, damage.arguments)
            ephemeral.add(platform, pod, added)
            return ephemeral.line_with(platform, pod, added["name"], "said", LIMIT_S)
    except AftershockError as error:
        raise UndoFailed(
            f"pod {namespace}/{name}: not known to be restored ({damage.what}): {' '.join(str(error).split())}; good is {damage.good}; "
            f"when the server answers, run make heal; by hand: {damage.by_hand}"
        ) from error


def _role_of(platform: Platform, namespace: str, pod: str, container: str, words: tuple[str, ...]) -> str | None:
    """Return the role of the target file that a damaged server plays; what it says of its objects is not the journal's to say.

    Where several have servers in one namespace whose containers are called alike, it is one that selects the pod. Of several that do, it
    is the one that says most of what ``words``, a program and its arguments, need. None: of no role do they only undo. Raises UndoFailed:
    the pod cannot be read then.
    """
    if namespace not in platform.region.namespaces:
        return None
    alike = {name: one for name, one in platform.target.roles.items() if (one.namespace, one.container) == (namespace, container)}
    stores = {name: one.object_store for name, one in alike.items() if one.object_store}
    if len(stores) > 1:
        with api_errors(f"pod {namespace}/{pod}: read its labels", UndoFailed):
            labels = platform.pod(pod, namespace).metadata.labels or {}
        stores = {name: store for name, store in stores.items() if selects(platform.target.role(name).selector, labels)}
    fit = [name for name, store in stores.items() if _undoes(words[0], words[1:], store.buckets)]
    return max(fit, key=lambda name: _known(stores[name], *words[:2]), default=None)


def _known(store: ObjectStore, program: str, address: str) -> int:
    """Return how much a role says of what a client of the store at ``address`` needs: how it is reached first, then that it keeps this."""
    folders = {files.folder for files in (store.training_data, store.model) if files}
    keeps = address.removeprefix("s3://").partition("?")[0] in folders
    return 2 * (store.s3 is not None) + keeps if program == TRAINING_DATA else 0


def _undoes(program: str, arguments: tuple[str, ...], buckets: str) -> bool:
    """Tell whether these words only undo: what is written lies in ``buckets``, what is removed is ours, and the server asked is this one.

    Whoever can write a journal must not be able to run anything else by the rights of who undoes.
    """
    match arguments:
        case ("undo", folder, "--originals", kept, "--outcome", said) if program == CHECKPOINTS:
            return _plain(folder) and PurePosixPath(folder).is_relative_to(buckets) and _ours(kept, buckets) and _ours(said, buckets)
        case (store, "--record", _, "--outcome", said, "--undo") | (store, "--record", _, "--undo", "--outcome", said):
            return program == TRAINING_DATA and STORE.fullmatch(store) is not None and _ours(said, buckets)
    return False


def _plain(path: str) -> bool:
    return path.startswith("/") and ".." not in PurePosixPath(path).parts


def _ours(path: str, buckets: str) -> bool:
    """Tell whether a path of the server's container is one that faults keep things at, which no client sees."""
    place = PurePosixPath(path)
    return _plain(path) and not place.is_relative_to(buckets) and any(part.startswith(KEPT) for part in place.parts)
