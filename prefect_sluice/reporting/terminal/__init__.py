"""What a terminal shows, as lines of styled text."""
