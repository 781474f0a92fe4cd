"""The reference ML platform: what the suite is developed against, and the load that drives it."""
