"""The order of a conversation's answers, where its line has forgotten it.

The line (``worker/conversation_line.py``) keeps a place for seconds: it outlives a worker, but neither an outage of all
of them nor one of Redis. The rows in Directus say what was begun all the same. So a turn looks at them before it
begins: an answer that is on the screen is ended first, and none covers a message that another turn may still answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.logging import get_logger
from services.queue.jobs import AnswerJob
from services.queue.runner import RetryLater
from worker.ending import mark
from worker.intake import read_asked_since, read_begun, read_covering

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.intake import Incoming, Talk
    from worker.services import Services

__all__ = ["may_begin"]

log = get_logger(__name__)

BEHIND_S = 1.0
"""A turn that has to come behind another looks again after this; while that one lives it waits in line instead."""
PUT_OFF_S = 20.0
"""Nobody waits for a turn that is put off for longer: Directus refuses its row, until a person mends it."""


async def may_begin(talk: Talk, incoming: Incoming, services: Services) -> bool:
    """Whether the turn of a message is due; False if a later answer covers it, which is marked then.

    From then on nobody else answers what this turn covers.

    Raises RetryLater while another answer of the conversation has to end first.
    """
    if talk.standing.is_on_screen:
        return True
    if talk.later_answers:
        is_covered, written = await read_covering(services.directus, incoming.message_id, talk.later_answers)
        if written and (is_covered or await _goes_on(written, incoming, services)):
            raise _behind("later")
        if is_covered:
            log.info("turn.covered_meanwhile")
            await mark(services, [{"id": incoming.message_id, "status": "superseded"}])
            return False
    for message_id in talk.ahead:
        if await _is_soon(message_id, services):
            raise _behind(message_id)
    if talk.covers:
        await _take_over(talk.covers, incoming.conversation_id, services)
    return True


async def _goes_on(answer_ids: Sequence[str], incoming: Incoming, services: Services) -> bool:
    """Whether somebody goes on with later answers that are on the screen, or ends them, soon."""
    asked = await read_asked_since(services.directus, incoming)
    # Whose question is gone the sweep ends.
    return any([each not in asked or await _is_soon(asked[each], services) for each in answer_ids])


async def _is_soon(message_id: str, services: Services) -> bool:
    """Ask for a turn that was begun, and say whether somebody will go on with it soon."""
    job = AnswerJob(message_id=message_id)
    await services.queue.enqueue(job)
    due_in_s = await services.queue.due_in_s(job)
    # Where nobody asks for it now, its job has just ended: it found the line taken by us, and waits for our leaving.
    return due_in_s is None or due_in_s < PUT_OFF_S


async def _take_over(message_ids: Sequence[str], conversation_id: str, services: Services) -> None:
    """Refuse whoever was at these messages and lives no more. Raises RetryLater if somebody lives, or has begun."""
    attempts = await services.leases.fence(message_ids)
    if None in attempts.values():
        raise _behind("live")
    for message_id, count in attempts.items():
        if count:
            # One of them may have the answer's row on its way: there is to be none.
            await services.watched.expect(message_id, [])
    if await read_begun(services.directus, conversation_id, message_ids):
        raise _behind("begun")


def _behind(what: str) -> RetryLater:
    log.info("turn.comes_behind", what=what)
    return RetryLater(BEHIND_S)
