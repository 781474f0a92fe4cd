"""Risks that the platform's objects show without any fault: one small pure function each, over :class:`history.layout.Layout`."""
