"""What several rooms' tests share: the real Directus, started once for all; how many cases hypothesis tries."""

import os

from hypothesis import settings

from tests.e2e.directus_server import directus_server

__all__ = ["directus_server"]

# The default tries the same cases each time, so that a failure is a change's and not the day's.
settings.register_profile("default", max_examples=500, derandomize=True, deadline=None)
settings.register_profile("nightly", max_examples=10_000, deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))
