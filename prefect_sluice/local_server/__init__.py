"""`sluice up`: Prefect server, worker and report pages of one machine."""
