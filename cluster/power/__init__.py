"""The power controller: the place of the machines' BMCs."""
