"""How a fault acts: a program in the target's container, a fault pod on a node, a signal to one process."""
