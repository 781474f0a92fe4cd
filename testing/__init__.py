"""What tests and bench share, owned by neither: doubles of the platform, recorded histories, servers and load, sessions."""
