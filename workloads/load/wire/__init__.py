"""What goes over the wire: where a request goes, how it is written, and how the answer of each API is read."""
