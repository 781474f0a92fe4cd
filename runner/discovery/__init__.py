"""What a cluster of which nothing is known has: read without changing anything, recognised by tables, drafted as a target file.

``cluster`` and ``reader`` read; ``known/`` says what projects look like; ``survey`` is all that was found; ``draft/`` writes it.
"""
