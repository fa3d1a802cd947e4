"""What several rooms' tests share: the real Directus, started once; how many cases hypothesis tries; quiet logs."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

import pytest
import structlog
from hypothesis import settings

from tests.e2e.directus_server import directus_server

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["directus_server"]

# The default tries the same cases each time, so that a failure is a change's and not the day's.
settings.register_profile("default", max_examples=500, derandomize=True, deadline=None)
settings.register_profile("nightly", max_examples=10_000, deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.fixture(autouse=True)
def _logs_as_they_were() -> Iterator[None]:
    """What a test made of the process's logging (a command configures it, say) is no later test's business."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    root.handlers[:] = handlers
    root.setLevel(level)
