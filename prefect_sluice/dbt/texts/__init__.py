"""Templates and Python files of a project, read as text: nothing of them runs."""
