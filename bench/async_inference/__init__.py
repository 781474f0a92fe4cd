"""Asynchronous inference as processes of this machine, killed at random moments."""
