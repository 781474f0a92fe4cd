"""Secrets: what looks like one, which this process knows, and how neither is shown."""
