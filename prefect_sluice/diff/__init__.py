"""What a release changes in the rows that people read."""
