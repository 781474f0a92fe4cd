"""A large platform, generated: many nodes in three zones, many pods of many owners, and one that serves users."""
