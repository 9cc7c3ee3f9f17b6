"""What comes out of git, and the files that lie beside it."""
