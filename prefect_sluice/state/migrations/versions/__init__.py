"""One file per change of the tables, named by its number. A file that was released never changes again."""
