"""Where people read: the port in `base`, the list of engines in `engines`, and a folder for each of them."""
