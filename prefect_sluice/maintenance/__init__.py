"""Maintenance of what Sluice keeps: collect, doctor, leave."""
