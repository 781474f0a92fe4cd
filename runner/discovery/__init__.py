"""What a cluster of which nothing is known has: read without changing anything, recognised by tables, drafted as a target file.

``cluster`` and ``reader`` read; ``known/`` is what the field's projects look like; ``findings`` are what was recognised; ``draft/`` writes it.
"""
