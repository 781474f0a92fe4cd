"""Likely causes of a FAIL: one small pure function each, over what a run showed and how the platform is built."""
