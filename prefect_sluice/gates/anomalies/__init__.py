"""The gate `anomalies`."""
