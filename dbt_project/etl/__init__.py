"""The job that loads the raw tables."""
