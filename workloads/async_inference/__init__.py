"""Asynchronous inference: requests that are taken at once, wait in Redis, are answered when an engine is there, and fetched later."""
