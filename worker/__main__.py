"""``python -m worker`` runs one worker process."""

import sys

from worker.main import main

sys.exit(main())
