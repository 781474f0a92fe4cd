"""The platform's API: client, permissions, selection by name, waiting, typed objects, machine and GPU drivers. It knows no fault."""
