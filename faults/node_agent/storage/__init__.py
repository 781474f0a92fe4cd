"""What runs beside a storage server, in an ephemeral container of its pod: it damages what the server keeps, and restores it."""
