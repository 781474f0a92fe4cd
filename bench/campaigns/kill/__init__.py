"""The suite is ended at a random moment of its own session: ``python -m bench.campaigns.kill``."""
