"""Nights: whether regressions are told from noise, and what an index of many nights costs."""
