"""The real servers of the end-to-end tests."""

from tests.e2e.redis_server import redis_server, shared_redis_server
from tests.e2e.stack import shared_stack, stack
from tests.e2e.window_page import chromium_browser, window, window_server

__all__ = [
    "chromium_browser",
    "redis_server",
    "shared_redis_server",
    "shared_stack",
    "stack",
    "window",
    "window_server",
]
