"""The gate `budget`."""
