"""The real servers of the end-to-end tests."""

from tests.e2e.redis_server import redis_server, shared_redis_server
from tests.e2e.stack import shared_stack, stack

__all__ = ["redis_server", "shared_redis_server", "shared_stack", "stack"]
