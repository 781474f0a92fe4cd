"""A shard as bytes: safetensors, or, as a weakness to test with, what torch.save writes."""

import io

import safetensors.torch
import torch
from safetensors import SafetensorError

from workloads.storage.store import Store
from workloads.training.checkpoint import state
from workloads.training.checkpoint.catalog import read_shard
from workloads.training.checkpoint.manifest import Manifest
from workloads.training.checkpoint.state import Entries
from workloads.training.errors import CheckpointRejected

_UNREADABLE = (SafetensorError, RuntimeError, ValueError, KeyError, EOFError, OSError)


def encode(entries: Entries, form: str, samples: int) -> bytes:
    """Return the bytes of a shard in the format ``sealed`` or ``torch`` (which has no manifest and so holds the data position, too)."""
    contiguous = {name: tensor.contiguous() for name, tensor in entries.items()}
    if form == "sealed":
        return safetensors.torch.save(contiguous)
    buffer = io.BytesIO()
    torch.save({**contiguous, "samples": torch.tensor(samples)}, buffer)
    return buffer.getvalue()


def decode(data: bytes, form: str) -> Entries:
    """Read a shard; raises CheckpointRejected if its form is broken (that its content is right, only digests tell)."""
    try:
        if form == "sealed":
            entries: Entries = safetensors.torch.load(data)
        else:
            entries = torch.load(io.BytesIO(data), weights_only=True)
    except _UNREADABLE as error:
        raise CheckpointRejected(f"unreadable: {type(error).__name__} {str(error).splitlines()[0][:160]}") from error
    return entries


def read_all(store: Store, manifest: Manifest, form: str, *, verify: bool) -> tuple[Entries, int]:
    """Return all entries of a checkpoint and its data position, verified from end to end; raises CheckpointRejected."""
    entries: Entries = {}
    for shard in manifest.shards:
        entries |= decode(read_shard(store, manifest, shard, verify=verify), form)
    samples = int(entries.pop("samples")) if "samples" in entries else manifest.samples
    if verify:
        found = state.state_digest(state.digests(entries), manifest.step, samples)
        if found != manifest.state_digest:
            raise CheckpointRejected(f"the state read has digest {found[:12]}…, saved was {manifest.state_digest[:12]}…")
    return entries, samples
