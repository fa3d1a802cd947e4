"""The builder: what Directus must have for Erleah, made where it is missing, never at the cost of what is there."""
