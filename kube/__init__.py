"""The platform's API, below faults and probes: clients, selectors resolved to names, the fault-pod template, machine and GPU drivers."""
