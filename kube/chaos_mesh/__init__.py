"""Chaos Mesh, where a cluster has it: its objects, and the pods that carry them out."""
