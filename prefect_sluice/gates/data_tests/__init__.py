"""The gate `data_tests`."""
