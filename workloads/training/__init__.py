"""Distributed torch training whose checkpoints survive failures: DDP over gloo by torchrun, deterministic, resumable to the bit.

``python -m workloads.training.launch`` starts the ranks of this pod (settings: ``python -m workloads.training.settings`` lists them),
``python -m workloads.training.audit LEDGER`` says what a run did: steps lost and replayed, samples skipped and repeated, two writers.
"""
