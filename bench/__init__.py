"""Measurements of the suite itself: each figure is printed beside its bound, as measured in this run on this machine."""
