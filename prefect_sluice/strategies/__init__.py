"""How a candidate comes to be served."""
