"""Names that the runner's process and the broken load share."""

BROKEN_LOAD = "AFTERSHOCK_BROKEN_LOAD"
"""Environment variable: which of ``bench.mutations.loads`` takes the place of the real load."""
