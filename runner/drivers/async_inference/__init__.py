"""Asynchronous jobs as what drives a run: submitted, cancelled by some, followed to their end, fetched."""
