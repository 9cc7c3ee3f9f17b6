"""What each relation is made from, as digests: its code, its settings, what its templates and macros read."""
