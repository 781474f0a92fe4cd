"""Platforms that look nothing like ours, as their projects install them, for `discover`."""
