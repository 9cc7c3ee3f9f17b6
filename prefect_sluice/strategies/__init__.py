"""Publish strategies: how a candidate comes to be served. One so far; Deploy and Rollback call it by its name."""
