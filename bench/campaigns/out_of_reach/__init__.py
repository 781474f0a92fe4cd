"""The suite loses its API server or its machine: ``python -m bench.campaigns.out_of_reach``."""
