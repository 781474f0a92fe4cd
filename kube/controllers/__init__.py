"""Who makes a role's pods: found by name or by owner, how many pods it wants, and who changed that."""
