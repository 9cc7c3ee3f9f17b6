"""The gate `coverage`."""
