"""What the cluster does to the machine under it: what must be there, packages, control groups, and settings of the kernel."""
