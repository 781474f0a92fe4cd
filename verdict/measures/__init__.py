"""What is measured. Each measurement is one small function whose docstring is its definition; the report's appendix is made of them."""
