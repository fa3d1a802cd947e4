"""Floor 3, the window: what a visitor sees."""
