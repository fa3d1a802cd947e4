"""``erleah ask``: a real turn through Directus and the queue, printed as it streams."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import click

from cli.terminal import command_settings, data, run, say
from services.answer_ids import answer_id_of
from services.directus.client import Directus
from services.errors import InvalidInputError, ServiceUnavailableError
from services.queue.job_queue import JobQueue
from services.queue.jobs import AnswerJob, Queue
from services.redis import connect_redis

if TYPE_CHECKING:
    from services.settings import Settings

__all__ = ["ask"]

LOOK_S = 0.15
RETRY_S = 2.0
"""A person at a terminal would rather be told that Directus is away than wait for it."""
PATIENCE_S = 30.0
"""Nothing for this long beyond the turn's own time, and no answer will come."""
NAMED = 10
"""Conferences that an error lists."""
WONDER_AFTER_S = 2.0
"""An idle worker shows something sooner; who waits longer is told whether one is at work at all."""


@click.command()
@click.argument("question")
@click.option("--conference", metavar="ID", help="DEFAULT_CONFERENCE_ID, or the only one there is, when left out.")
@click.option("--source", default="mini", show_default=True, help="Which assistant is asked.")
@click.option("--json", "as_json", is_flag=True, help="The whole answer row, for a machine.")
def ask(*, question: str, conference: str | None, source: str, as_json: bool) -> int:
    """Ask as a visitor would, and print the answer as it grows."""
    settings = command_settings()
    row = run(_ask(settings, question, conference, source, stream=not as_json))
    if as_json:
        data(row)
    elif row["status"] != "completed":
        say(f"The answer ended as {row['status']}.")
    return 0 if row["status"] == "completed" else 1


async def _ask(
    settings: Settings, question: str, conference: str | None, source: str, *, stream: bool
) -> dict[str, Any]:
    redis = connect_redis(settings.redis_url, retries=1)
    queue = JobQueue(redis)
    try:
        async with Directus(
            settings.directus_url, settings.directus_api_key.get_secret_value(), retry_for_s=RETRY_S
        ) as directus:
            conference_id = await _conference(directus, conference or settings.default_conference_id)
            conversation_id, message_id = str(uuid4()), str(uuid4())
            await directus.create_item(
                "conversations", {"id": conversation_id, "source": source, "conference_id": conference_id}
            )
            await directus.create_item(
                "messages",
                {"id": message_id, "conversation_id": conversation_id, "role": "user", "messageText": question},
            )
            # The Flow reports it too; asking directly makes this work without the receiver.
            await queue.enqueue(AnswerJob(message_id=message_id))
            wondering = asyncio.create_task(_say_if_nobody_works(queue))
            try:
                return await _follow(directus, message_id, settings.turn_timeout_s + PATIENCE_S, stream=stream)
            finally:
                wondering.cancel()
                await asyncio.gather(wondering, return_exceptions=True)
    finally:
        await redis.aclose()


async def _say_if_nobody_works(queue: JobQueue) -> None:
    await asyncio.sleep(WONDER_AFTER_S)
    if not any(seen.queue == Queue.TURNS for seen in await queue.workers()):
        say("No worker is running, so nobody answers yet; start one in another terminal: erleah worker")


async def _follow(directus: Directus, message_id: str, patience_s: float, *, stream: bool) -> dict[str, Any]:
    """Print what is new each time, until the answer has ended."""
    answer_id = answer_id_of(message_id)
    shown = ""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        rows = await directus.read_items("messages", filter={"id": {"_eq": answer_id}}, limit=1)
        if rows:
            text = rows[0]["messageText"] or ""
            if stream and text != shown:
                # A text that was begun anew (another worker or model went on) is shown whole once more.
                sys.stdout.write(text[len(shown) :] if text.startswith(shown) else f"\n\n{text}")
                sys.stdout.flush()
                shown = text
            if rows[0]["status"] != "streaming":
                if stream:
                    sys.stdout.write("\n")
                return rows[0]
        await asyncio.sleep(LOOK_S)
    raise ServiceUnavailableError("worker", "no answer came; see whether a worker runs: erleah status")


async def _conference(directus: Directus, wanted: str | None) -> str:
    """The conference of that id, or the only one there is; InvalidInputError that names those there are."""
    conferences = await directus.read_items("conferences", fields=["id", "name"], sort=["name"], limit=-1)
    if not conferences:
        raise InvalidInputError("Directus has no conference yet; load one with: erleah load DIR")
    found = [str(row["id"]) for row in conferences if wanted in {None, str(row["id"])}]
    if len(found) == 1:
        return found[0]
    what = f"there is no conference {wanted}" if wanted else "there are several conferences"
    listed = ", ".join(f"{row['name']} ({row['id']})" for row in conferences[:NAMED])
    more = f" and {len(conferences) - NAMED} more" if len(conferences) > NAMED else ""
    raise InvalidInputError(f"{what}; choose of {listed}{more} with: erleah ask … --conference ID")
