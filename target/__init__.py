"""The target file: which platform the suite may touch, and how; and how every YAML file that people write is read."""
