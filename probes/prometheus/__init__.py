"""How the Prometheus of a region is asked, and what its answers mean."""
