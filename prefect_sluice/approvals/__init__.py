"""Approvals: who may say yes, who did, and whether a yes still counts."""
