"""The conference's facts, read from Directus once in some minutes and kept in Redis between."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING
from uuid import uuid4

from pydantic import ValidationError

from assistants.conference.facts import ConferenceFacts, gather_facts
from services import redis_keys
from services.directus_names import CONFERENCES, SESSIONS
from services.errors import ErleahError
from services.logging import get_logger

if TYPE_CHECKING:
    from assistants.interface import Toolbox
    from services.redis import RedisClient

__all__ = ["forget_facts", "read_facts"]

log = get_logger(__name__)

_FIELDS = (
    "id", "name", "description", "start_date", "end_date", "venue", "city", "country", "timezone", "website", "faq",
)  # fmt: skip

# KEYS: the facts, the mark of the last change. ARGV: that mark when the reading began, the facts, seconds.
_KEEP = """
if (redis.call('GET', KEYS[2]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
return 1
"""


async def read_facts(conference_id: str, toolbox: Toolbox) -> ConferenceFacts:
    """What holds for the whole conference.

    Raises NotFoundError when there is no such conference, and what Directus raises when it is away
    and nothing is cached. Without Redis every call reads Directus.
    """
    cached, mark = await _cached(conference_id, toolbox)
    if cached is not None:
        return cached
    row = await toolbox.directus.read_item(CONFERENCES, conference_id, fields=_FIELDS)
    sessions = await toolbox.directus.read_items(
        SESSIONS,
        filter={"conference_id": {"_eq": conference_id}},
        fields=("start_time", "end_time", "room", "title", "session_type"),
        limit=-1,
    )
    facts = gather_facts(row, sessions)
    if mark is not None:
        await _keep(facts, mark, toolbox)
    return facts


async def forget_facts(conference_id: str, redis: RedisClient) -> None:
    """Drop what is kept of a conference, and what is being read of it just now is not kept either."""
    async with redis.pipeline(transaction=True) as pipe:
        pipe.set(redis_keys.conference_changed(conference_id), uuid4().hex, ex=redis_keys.CONFERENCE_TTL_S)
        pipe.delete(redis_keys.conference(conference_id))
        await pipe.execute()


async def _cached(conference_id: str, toolbox: Toolbox) -> tuple[ConferenceFacts | None, bytes | None]:
    """What is kept, and the mark of the last change, which is None while Redis is away."""
    keys = (redis_keys.conference(conference_id), redis_keys.conference_changed(conference_id))
    try:
        saved, mark = await toolbox.redis.mget(keys)
    except ErleahError:
        return None, None
    try:
        return (_read(saved) if saved else None), mark or b""
    except ValidationError:  # another version wrote it; it is written over
        return None, mark or b""


@lru_cache(maxsize=16)
def _read(saved: bytes) -> ConferenceFacts:
    """What was kept; a thousand turns read the same, and need not make the same of it a thousand times."""
    return ConferenceFacts.model_validate_json(saved)


async def _keep(facts: ConferenceFacts, mark: bytes, toolbox: Toolbox) -> None:
    """Keep what was read, unless something changed while it was: then the next one reads again."""
    keep = toolbox.redis.register_script(_KEEP)
    keys = (redis_keys.conference(facts.conference_id), redis_keys.conference_changed(facts.conference_id))
    try:
        await keep(keys=keys, args=(mark, facts.model_dump_json(), redis_keys.CONFERENCE_TTL_S))
    except ErleahError as error:
        log.warning("conference.not_cached", reason=type(error).__name__)
