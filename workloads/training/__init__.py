"""Distributed torch training whose checkpoints survive failures: DDP over gloo by torchrun, deterministic, resumable to the bit.

``python -m workloads.training.launch`` starts the ranks of this pod (settings: ``python -m workloads.training.settings`` lists them).
"""
