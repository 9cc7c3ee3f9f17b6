"""What the raw tables and the marts promise, as pandera models."""
