"""The same experiments on one cluster by Chaos Mesh and by fault pods, and a deletion that hangs."""
