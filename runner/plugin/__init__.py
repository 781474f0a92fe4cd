"""pytest's surface: hooks, options, items, progress, and the end of a session."""
