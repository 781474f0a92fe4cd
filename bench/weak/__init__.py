"""Weak platforms: the hardened one with one weakness each, on which the experiment that looks for it must come out FAIL."""
