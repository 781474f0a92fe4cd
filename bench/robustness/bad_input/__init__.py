"""What can be wrong with somebody else's cluster, each done to a real run on a real cluster."""
