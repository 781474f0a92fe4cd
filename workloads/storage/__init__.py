"""Storage that is checked, not trusted: stores for folders and S3, sealed documents, and point-in-time restore of what was damaged."""
