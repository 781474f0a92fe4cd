"""Servers that answer by a script, and the real load driven against them."""
