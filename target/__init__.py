"""The target file: which platform the suite may touch, and how."""
