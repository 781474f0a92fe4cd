"""How the platform is built, read once and read-only: :class:`history.layout.Layout` of what the API server has."""
