"""The real servers of the end-to-end tests."""

from tests.e2e.redis_server import redis_server, shared_redis_server

__all__ = ["redis_server", "shared_redis_server"]
