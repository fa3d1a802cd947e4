"""Floor 2: the index of what a domain holds: collections, facets, modes, scoring, filters."""
