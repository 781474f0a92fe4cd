"""Training that must survive: damaged checkpoints, seeded weaknesses, recovery at rest, every stored run."""
