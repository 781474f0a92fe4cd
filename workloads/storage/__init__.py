"""Stores for folders and S3, sealed documents that prove themselves, and point-in-time restore of what was damaged."""
