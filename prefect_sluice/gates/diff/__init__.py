"""The gate `diff`."""
