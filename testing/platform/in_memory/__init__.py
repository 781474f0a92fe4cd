"""A double of an API server that lives in the memory of a test."""
