"""Publish strategies: how a candidate comes to be served."""
