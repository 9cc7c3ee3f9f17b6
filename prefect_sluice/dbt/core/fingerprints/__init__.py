"""Fingerprints of relations: digests of their code, their settings, and what their templates and macros read."""
