"""Monitoring: checks of what serves between two releases, and signs of life of the runs at work."""
