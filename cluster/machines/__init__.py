"""The cluster's machines: processes in namespaces, with disk, network and power switch; nodes and the control plane."""
