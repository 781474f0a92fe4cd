"""What the cluster does to the machine under it: requirements, packages, control groups, settings, and what may be left over."""
