"""The embedded cluster and every fault on cgroup v2, in a virtual machine: ``python -m bench.cgroup2``."""
