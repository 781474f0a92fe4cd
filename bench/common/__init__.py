"""What the measurements share: tables that resume, published figures, runs in memory."""
