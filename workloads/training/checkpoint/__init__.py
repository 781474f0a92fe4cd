"""Checkpoints: saved by all ranks into every store, found, verified, resumed from, pruned."""
