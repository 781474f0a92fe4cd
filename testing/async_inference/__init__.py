"""Asynchronous inference as real processes on this machine: Redis, API, consumers, and an engine that does what a test says."""
