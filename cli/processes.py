"""``erleah webhook`` and ``erleah worker``: one process each, to be scaled by whoever runs them.

What keeps one from starting ends where every command's errors do, in ``cli/main.py``.
"""

from __future__ import annotations

import click

__all__ = ["webhook", "worker"]


@click.command()
def webhook() -> None:
    """Run the receiver: takes hooks and visitors' calls, enqueues jobs."""
    from webhook.main import run_process

    run_process()


@click.command()
def worker() -> None:
    """Run one worker: answers messages and indexes content."""
    from worker.main import run_process

    run_process()
