"""The gate `impact`."""
