"""The real servers of the end-to-end tests."""

from tests.e2e.directus_server import directus_server

__all__ = ["directus_server"]
