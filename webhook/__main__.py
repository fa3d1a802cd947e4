"""``python -m webhook``."""

from __future__ import annotations

import sys

from webhook.main import main

sys.exit(main())
