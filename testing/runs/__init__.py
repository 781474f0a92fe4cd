"""Runs and sessions without a cluster: experiments, phases, children and pytest sessions in pieces."""
