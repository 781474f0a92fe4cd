"""Platforms to test on: a double of an API server, the embedded cluster driven from outside, servers and proxies."""
