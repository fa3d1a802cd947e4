"""The two ways to write facets: from the fields alone, and by a model."""
