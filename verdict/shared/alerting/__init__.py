"""What became of an alerting rule in a run: it told, or not, and whose part that is."""
