"""Directus: one client for rows, shares and health, over one pool of connections."""
