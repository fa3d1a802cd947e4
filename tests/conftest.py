"""What several rooms' tests share: the real Directus, started once for all of them."""

from tests.e2e.directus_server import directus_server

__all__ = ["directus_server"]
