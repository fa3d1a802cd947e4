"""``erleah webhook`` and ``erleah worker``: one process each, to be scaled by whoever runs them."""

from __future__ import annotations

import click

__all__ = ["webhook", "worker"]


@click.command()
def webhook() -> int:
    """Run the receiver: takes hooks and visitors' calls, enqueues jobs."""
    from webhook.main import main

    return main()


@click.command()
def worker() -> int:
    """Run one worker: answers messages and indexes content."""
    from worker.main import main

    return main()
