"""Lists of a large cluster: in pages, of as little as a question needs, asked for once."""
