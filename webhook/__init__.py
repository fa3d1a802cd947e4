"""Floor 3, the door: HTTP in, jobs out. No search, no model, no business rule."""
