"""How Stage makes a candidate and has it judged."""
