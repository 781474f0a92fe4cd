"""What Prometheus needs beside itself."""
