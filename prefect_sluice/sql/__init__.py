"""Compiled SQL as text: one spelling of it, what it asks of the clock, and what its columns are made of."""
