"""Approvals: who may say yes, who did, and what a yes is worth now."""
