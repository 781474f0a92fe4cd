"""Workload drivers: what drives a run, requests of users or a training job, behind one protocol."""
