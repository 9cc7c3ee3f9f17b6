"""The gate `lint`."""
