"""Floor 3, the librarian: Directus rows and files in, index out."""
